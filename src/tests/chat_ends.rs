//! How replies end: what a reply cut by its length keeps, what is closed in it, and how it goes on.

use super::{
    Client, Step, TestApp,
    chat::{eventually, finish, id, messages, say},
};
use crate::ai::FinishReason;
use serde_json::json;

/// Has a reply written and gives its id, its conversation, and what is kept of it.
async fn told(app: &TestApp, client: &Client, steps: Vec<Step>) -> (String, String, String) {
    app.model.script(move |_| steps.clone());
    let sent = say(client, &app.oc("lumina").await, "Go on.", None).await;
    let (_, end) = finish(client, &id(&sent, "run_id")).await;
    let conversation = id(&sent, "conversation_id");
    let kept = messages(client, &conversation).await.last().unwrap()["content"].as_str().unwrap().to_owned();
    assert_eq!((end.name.as_str(), end.data["content"].as_str()), ("done", Some(kept.as_str())), "{}", end.data);
    (id(&sent, "message_id"), conversation, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_streamed_stays_when_the_length_ends_it() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lines = |form: fn(u32) -> String| (1..=40).map(form).collect::<Vec<_>>().join("\n");
    for text in [
        format!("Here is the song you asked for.\n\n{}", lines(|i| format!("{i} lamps along the harbour wall"))),
        format!("Sure. Here is my list:\n\n{}", lines(|i| format!("- jar {i} of storms"))),
        "Dr. Harrow keeps the lamps in the old tower and counts each ship that comes by at 3 a.m. or".to_owned(),
        "她抬起头。\n\n“晚上好，”她说，“请进。外面下着雨，那个来自南方，还有一个".to_owned(),
        "Sure. Here it is.\n\n```rust\nlet lamp = 1; // Lit.\nlet wall".to_owned(),
    ] {
        let (_, _, kept) = told(&app, &client, vec![Step::text(&text), Step::End(FinishReason::Length)]).await;
        assert_eq!(kept, text);
    }
    let long = "The lamp at Harrow Point turns all night, and nobody has ever seen who turns it.";
    let (_, _, kept) =
        told(&app, &client, vec![Step::text(long), Step::text(" And th"), Step::End(FinishReason::Length)]).await;
    assert_eq!(kept, long, "a little that was begun last goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_replies_get_no_star() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    for text in ["Here you are.\n\n```c\nint *lamp;\n```", "* a storm\n* a calm\n* a tide", "*She nods", "5 * 3"] {
        assert_eq!(told(&app, &client, vec![Step::text(text)]).await.2, text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_action_is_closed_and_goes_on_as_one() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let cut = vec![Step::text("*She looks out at the sea. The gulls are"), Step::End(FinishReason::Length)];
    let (message, conversation, kept) = told(&app, &client, cut).await;
    assert_eq!(kept, "*She looks out at the sea. The gulls are*");
    app.model.script(|request| {
        assert_eq!(request.prefill, "*She looks out at the sea. The gulls are");
        vec![Step::text(" loud.*")]
    });
    let answer = client.post_json(&format!("/api/messages/{message}/continue"), &json!({})).await;
    assert!(answer.status == 200 || answer.status == 202, "{}", answer.text);
    eventually("it goes on", || async {
        let now = messages(&client, &conversation).await;
        let last = now.last().unwrap();
        last["status"] == "done" && last["content"] == "*She looks out at the sea. The gulls are loud.*"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_the_person_and_a_label_is_no_person() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    for (name, stops) in [("Wren", vec!["\nWren:".to_owned()]), ("Note", Vec::new())] {
        let made = client.post_json("/api/personas", &json!({"name": name, "is_default": true})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let (_, _, kept) = told(&app, &client, vec![Step::text("Two things.\nNote: bring a lamp.")]).await;
        assert_eq!(kept, "Two things.\nNote: bring a lamp.");
        assert_eq!(app.model.requests.lock().unwrap().last().unwrap().stop, stops);
    }
}
