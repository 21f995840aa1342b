//! Whatever is done to a conversation in whatever order, its tree stays a tree.

use super::{
    TestApp,
    talk::{Talk, word},
};
use axum::http::Method;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;
use sqlx::Row;

/// What somebody does to a conversation; the number says to which of the lines.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Say,
    Again(usize),
    Back(usize),
    Forth(usize),
    Save(usize),
    Beside(usize),
    Branch(usize),
    Continue(usize),
    Delete(usize),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let at = 0..9_usize;
    let deed = prop_oneof![
        4 => Just(Deed::Say),
        4 => at.clone().prop_map(Deed::Again),
        4 => at.clone().prop_map(Deed::Back),
        3 => at.clone().prop_map(Deed::Forth),
        1 => at.clone().prop_map(Deed::Save),
        3 => at.clone().prop_map(Deed::Beside),
        1 => at.clone().prop_map(Deed::Branch),
        1 => at.clone().prop_map(Deed::Continue),
        2 => at.prop_map(Deed::Delete),
    ];
    proptest::collection::vec(deed, 25)
}

/// What must hold of every conversation at any time; gives what does not.
const BROKEN: &str = "
    with recursive up as (
        select conversation_id, active_leaf_id as at, array[active_leaf_id] as seen, false as loops from conversations
        where active_leaf_id is not null
        union all
        select up.conversation_id, m.parent_id, up.seen || m.parent_id, m.parent_id = any(up.seen)
        from up join messages m on m.message_id = up.at where m.parent_id is not null and not up.loops
    )
    select 'the leaf is in another conversation' from conversations c join messages m on m.message_id = c.active_leaf_id
        where m.conversation_id <> c.conversation_id
    union all select 'nothing is shown where something was said' from conversations c
        where active_leaf_id is null and exists (select from messages m where m.conversation_id = c.conversation_id)
    union all select 'a line answers one of another conversation' from messages m join messages p on p.message_id = m.parent_id
        where p.conversation_id <> m.conversation_id
    union all select 'what is shown goes in a circle' from up where loops
    union all select 'a reply is shown over and over' from runs where status in ('queued', 'streaming') and lease_until < now()";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_the_tree_is_a_tree() {
    let app = TestApp::new().await;
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &uuid::Uuid::now_v7().as_bytes().repeat(2)),
    );
    for round in 0..4 {
        let talk = Talk::begun(&app, &format!("person{round}"), "lumina").await;
        let plan = deeds().new_tree(&mut runner).unwrap().current();
        for (step, deed) in plan.iter().enumerate() {
            let now = talk.lines().await;
            let line = |at: usize| now.get(at % now.len().max(1)).map(|l| word(l, "id"));
            let form = |id: String, step: &'static str| {
                let client = talk.client.clone();
                async move { client.post_form("/fn/chat/show_sibling", &[("message_id", &id), ("step", step)]).await.status }
            };
            let status = match *deed {
                Deed::Say => {
                    talk.send(&format!("Line {step}"), json!({ "conversation_id": talk.id })).await;
                    202
                }
                Deed::Again(at)
                | Deed::Back(at)
                | Deed::Forth(at)
                | Deed::Save(at)
                | Deed::Beside(at)
                | Deed::Branch(at)
                | Deed::Continue(at)
                | Deed::Delete(at) => {
                    let Some(id) = line(at) else { continue };
                    match deed {
                        Deed::Again(_) => talk.post(&format!("{id}/regenerate"), json!({})).await.status,
                        Deed::Back(_) => form(id, "-1").await,
                        Deed::Forth(_) => form(id, "1").await,
                        Deed::Save(_) => talk.to(Method::PATCH, &id, json!({ "content": "Changed" })).await.status,
                        Deed::Beside(_) => {
                            talk.post(&format!("{id}/wordings"), json!({ "content": "Beside" })).await.status
                        }
                        Deed::Branch(_) => talk.post(&format!("{id}/branch"), json!({})).await.status,
                        Deed::Continue(_) => talk.post(&format!("{id}/continue"), json!({})).await.status,
                        _ => talk.to(Method::DELETE, &id, json!({})).await.status,
                    }
                }
            };
            assert!(status < 500, "{status} after {:?}", &plan[..=step]);
            talk.rest().await;
            let broken: Vec<String> = sqlx::query_scalar(BROKEN).fetch_all(&mut app.sql().await).await.unwrap();
            assert!(broken.is_empty(), "{broken:?} after {:?}", &plan[..=step]);
            let shown = talk.lines().await;
            for l in &shown {
                let (place, places) = (l["place"].as_u64().unwrap(), l["places"].as_u64().unwrap());
                assert!((1..=places).contains(&place), "{place} of {places} after {:?}", &plan[..=step]);
            }
            let leaf = sqlx::query("select active_leaf_id::text from conversations where conversation_id = $1::uuid");
            let leaf = leaf.bind(&talk.id).fetch_one(&mut app.sql().await).await.unwrap();
            assert_eq!(shown.last().map(|l| word(l, "id")), leaf.get::<Option<String>, _>(0));
        }
    }
}
