//! The tree of a conversation over HTTP: wordings, changed words, branches, ratings.

use super::{
    Step, TestApp,
    talk::{Talk, lines, page, said, word},
};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use sqlx::Row;
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_in_the_middle_has_wordings_with_their_own_future() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    talk.answers("And then?");
    talk.say("It rained.").await;
    let first = talk.line(2).await;

    talk.answers("Another first reply.");
    let again = talk.post(&format!("{first}/regenerate"), json!({})).await;
    assert_eq!(again.status, 202, "{}", again.text);
    talk.rest().await;
    let now = talk.lines().await;
    assert_eq!(said(&now)[2..], ["Another first reply."], "what followed stays with the old wording");
    assert_eq!((now[2]["place"].as_u64(), now[2]["places"].as_u64()), (Some(2), Some(2)));
    assert!(page(&talk.client, &format!("/chat/{}", talk.id)).await.contains("2 of 2"));
    talk.answers("In this one.");
    talk.say("Here it is dry.").await;

    // Back by the form of the page, and forth by the API: each wording with what followed it.
    let form = [("message_id", now[2]["id"].as_str().unwrap()), ("step", "-1")];
    assert_eq!(talk.client.post_form("/fn/chat/show_sibling", &form).await.status, 302);
    assert_eq!(said(&talk.lines().await)[3..], ["It rained.", "And then?"]);
    let items = talk.to(Method::GET, &format!("{first}/wordings"), json!({})).await.json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    assert_eq!((&items[0]["is_shown"], &items[1]["is_shown"]), (&json!(true), &json!(false)));
    let second = word(&items[1], "id");
    assert_eq!(talk.post(&format!("{second}/show"), json!({})).await.status, 204);
    assert_eq!(said(&talk.lines().await)[3..], ["Here it is dry.", "In this one."]);
    // There is nothing after the last.
    let answer = talk.client.post_form("/fn/chat/show_sibling", &[("message_id", &second), ("step", "1")]).await;
    assert!(answer.location().contains("__err"), "{}", answer.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_character_has_several_first_lines() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let greetings: Vec<String> = {
        let row = sqlx::query("select greeting, alternate_greetings, name from ocs where slug = 'thorne'");
        let row = row.fetch_one(&mut app.sql().await).await.unwrap();
        let all: Vec<String> = std::iter::once(row.get(0)).chain(row.get::<Vec<String>, _>(1)).collect();
        all.into_iter().map(|g| g.replace("{{char}}", row.get(2)).replace("{{user}}", "ada")).collect()
    };
    assert_eq!(greetings.len(), 3);
    // Before the talk they are links, and looking makes nothing.
    let shown = page(&client, "/talk/thorne?opening=1").await;
    assert!(shown.contains("2 of 3") && shown.contains("/talk/thorne?opening=2"), "which of them");
    assert!(page(&client, "/talk/thorne?opening=99").await.contains("3 of 3"));
    let none = sqlx::query("select count(*) from conversations").fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(none.get::<i64, _>(0), 0);

    let oc = app.oc("thorne").await;
    let form = [("oc_id", oc.as_str()), ("content", "Hm"), ("opening", "2"), ("key", "k")];
    let sent = client.post_form("/fn/chat/send_message", &form).await;
    let id = sent.location().trim_start_matches("/chat/").to_owned();
    let talk = Talk { app: &app, client, oc, id };
    talk.rest().await;
    let now = talk.lines().await;
    assert_eq!(now[0]["content"], greetings[2].as_str());
    assert_eq!((now[0]["place"].as_u64(), now[0]["places"].as_u64()), (Some(3), Some(3)));
    // After it began, another first line is another talk, and the one that was led is not lost.
    let first = word(&now[0], "id");
    talk.client.post_form("/fn/chat/show_sibling", &[("message_id", &first), ("step", "-1")]).await;
    assert_eq!(said(&talk.lines().await), [greetings[1].as_str()]);
    assert_eq!(talk.post(&format!("{first}/show"), json!({})).await.status, 204);
    assert_eq!(talk.lines().await.len(), 3);
    // A deleted first line leaves the others.
    assert_eq!(talk.to(Method::DELETE, &first, json!({})).await.status, 204);
    assert_eq!(said(&talk.lines().await), [greetings[1].as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_both_sides_are_changed_in_place_or_beside() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let (own, reply) = (talk.line(1).await, talk.line(2).await);

    // In place, by the form of the page: the reply below stays.
    let shown = page(&talk.client, &format!("/chat/{}?edit={own}", talk.id)).await;
    assert!(
        shown.contains("Save and regenerate") && shown.contains("name=\"text\""),
        "the form stands in the line's place"
    );
    let form = [("message_id", own.as_str()), ("text", " Good evening.\r\n"), ("how", "place")];
    let saved = talk.client.post_form("/fn/chat/edit_message", &form).await;
    assert_eq!(saved.location(), format!("/chat/{}#m-{own}", talk.id));
    let now = talk.lines().await;
    assert_eq!(said(&now)[1..], ["Good evening.", "The lamp is lit. Come in."]);
    assert_eq!((&now[1]["is_edited"], &now[2]["is_edited"]), (&json!(true), &json!(false)));

    // A character's line in place; the list of conversations shows its new words.
    let answer = talk.to(Method::PATCH, &reply, json!({ "content": "*She waves.* **No.**" })).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(talk.lines().await[2]["html"], "<p><em>She waves.</em> <strong>No.</strong></p>\n");
    let list = talk.client.get_json("/api/conversations").await.json();
    assert_eq!(list["items"][0]["last_line"], "She waves. No.");

    // Beside: another wording of the reply, nothing is asked of the model.
    let asked = app.model.requests.lock().unwrap().len();
    let made = talk.post(&format!("{reply}/wordings"), json!({ "content": "As I would say it." })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let now = talk.lines().await;
    assert_eq!((now[2]["content"].as_str(), now[2]["place"].as_u64()), (Some("As I would say it."), Some(2)));
    assert_eq!(app.model.requests.lock().unwrap().len(), asked);

    // Beside: one's own line is sent, answered, and the old one waits with its answers.
    talk.answers("A new answer.");
    let form = [("message_id", own.as_str()), ("text", "Good morning."), ("how", "beside")];
    let sent = talk.client.post_form("/fn/chat/edit_message", &form).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    talk.rest().await;
    let now = talk.lines().await;
    assert_eq!(said(&now)[1..], ["Good morning.", "A new answer."]);
    assert_eq!((now[1]["place"].as_u64(), now[1]["places"].as_u64()), (Some(2), Some(2)));
    let request = app.model.requests.lock().unwrap().last().unwrap().clone();
    assert_eq!(request.messages.last().unwrap().content, "Good morning.");
    assert!(request.messages.iter().all(|m| !m.content.contains("Good evening")), "the path not taken is not told");
    assert_eq!(talk.post(&format!("{own}/show"), json!({})).await.status, 204);
    assert_eq!(said(&talk.lines().await)[1..], ["Good evening.", "As I would say it."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_changed_words_is_text_and_what_does_not_fit_is_refused() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let (own, reply) = (talk.line(1).await, talk.line(2).await);
    let nasty =
        "</textarea><script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))\n\n```\n<b>\n```";
    for line in [&own, &reply] {
        assert_eq!(talk.to(Method::PATCH, line, json!({ "content": nasty })).await.status, 204);
        for path in [format!("/chat/{}", talk.id), format!("/chat/{}?edit={line}", talk.id)] {
            let shown = page(&talk.client, &path).await;
            for bad in ["<script>alert", "<img src=x", "href=\"javascript:", " style=\""] {
                assert!(!shown.contains(bad), "{bad} on {path}");
            }
            let code = shown.contains("class=\"copy-code\">Copy code</button><pre tabindex=\"0\">");
            assert!(code || path.contains("edit="), "code can be copied");
        }
    }
    let long = "x".repeat(8001);
    for bad in ["", "  \n ", "\u{202e}\u{200b}", long.as_str()] {
        let refused = talk.to(Method::PATCH, &own, json!({ "content": bad })).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert_eq!(refused.json()["error"]["field"], "content");
        let refused = talk.post(&format!("{own}/wordings"), json!({ "content": bad })).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
    // A character may speak longer than a person, but not without end.
    assert_eq!(talk.to(Method::PATCH, &reply, json!({ "content": long })).await.status, 204);
    assert_eq!(talk.to(Method::PATCH, &reply, json!({ "content": "x".repeat(60_001) })).await.status, 422);
    assert_eq!(talk.to(Method::PATCH, &reply, json!({ "content": "x".repeat(1 << 20) })).await.status, 413);
    assert_eq!(talk.to(Method::PATCH, &reply, json!({})).await.status, 422);
    // A refused plain form comes back with its words and the reason, still in the line's place.
    let at = format!("/chat/{}?edit={own}", talk.id);
    let form = [
        ("message_id", own.as_str()),
        ("text", "kept a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} words"),
        ("how", "beside"),
    ];
    let back = talk.client.post_form_from("/fn/chat/edit_message", &at, &form).await;
    let shown = page(&talk.client, back.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(shown.contains("Too many accents") && shown.contains("kept ") && shown.contains("Save and regenerate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_a_conversation_of_its_own() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    talk.answers("Second.");
    talk.say("More").await;
    let rename = [("conversation_id", talk.id.as_str()), ("title", "The lamp")];
    talk.client.post_form("/fn/chat/rename_conversation", &rename).await;
    let before = talk.lines().await;
    let made = talk.client.post_form("/fn/chat/branch_conversation", &[("message_id", &word(&before[2], "id"))]).await;
    let branch = made.location().trim_start_matches("/chat/").to_owned();
    assert!(!branch.is_empty() && branch != talk.id, "{}", made.location());
    let copy = lines(&talk.client, &branch).await;
    assert_eq!(said(&copy), said(&before)[..3]);
    assert!(copy.iter().zip(&before).all(|(a, b)| a["id"] != b["id"] && a["created_at"] == b["created_at"]));
    let shown = page(&talk.client, &format!("/chat/{branch}")).await;
    assert!(shown.contains("The lamp (branch)") && shown.contains("Branched from"), "it says where it came from");
    assert!(shown.contains(&format!("href=\"/chat/{}\"", talk.id)));

    // Each goes its own way.
    talk.answers("Only here.");
    let sent = talk.send("In the branch", json!({ "conversation_id": branch })).await;
    assert_eq!(sent["conversation_id"], branch.as_str());
    let twin = Talk { app: &app, client: talk.client.clone(), oc: talk.oc.clone(), id: branch.clone() };
    twin.rest().await;
    assert_eq!(said(&twin.lines().await)[3..], ["In the branch", "Only here."]);
    assert_eq!(talk.lines().await, before);
    // By the API, of a branch: the title does not grow.
    let answer = twin.post(&format!("{}/branch", twin.line(4).await), json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let list = talk.client.get_json("/api/conversations").await.json();
    let titles: Vec<&str> = list["items"].as_array().unwrap().iter().map(|c| c["title"].as_str().unwrap()).collect();
    assert_eq!(titles.iter().filter(|t| **t == "The lamp (branch)").count(), 2, "{titles:?}");
    // What it came from may go; the branch stays, and says nothing of it any more.
    talk.client.post_form("/fn/chat/delete_conversation", &[("conversation_id", &talk.id)]).await;
    assert!(!page(&talk.client, &format!("/chat/{branch}")).await.contains("Branched from"));
    assert_eq!(twin.lines().await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_are_rated_and_the_rating_is_shown_again() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let (own, reply) = (talk.line(1).await, talk.line(2).await);
    let pressed = |shown: String| shown.matches("aria-pressed=\"true\"").count();
    let before = pressed(page(&talk.client, &format!("/chat/{}", talk.id)).await);
    talk.client.post_form("/fn/chat/rate_reply", &[("message_id", &reply), ("rating", "4")]).await;
    talk.client.post_form("/fn/chat/rate_reply", &[("message_id", &reply), ("helpful", "no")]).await;
    let now = talk.lines().await;
    assert_eq!((&now[2]["rating"], &now[2]["helpful"]), (&json!(4), &json!(false)), "one form leaves the other alone");
    let shown = page(&talk.client, &format!("/chat/{}", talk.id)).await;
    assert_eq!(pressed(shown), before + 1, "one system in sight: the thumb");
    // Pressing what is pressed takes it back.
    talk.client.post_form("/fn/chat/rate_reply", &[("message_id", &reply), ("rating", "0")]).await;
    talk.client.post_form("/fn/chat/rate_reply", &[("message_id", &reply), ("helpful", "unsaid")]).await;
    assert!(talk.lines().await[2].get("rating").is_none() && talk.lines().await[2].get("helpful").is_none());

    let rate = |line: String, body: Value| {
        let talk = &talk;
        async move { talk.to(Method::PUT, &format!("{line}/rating"), body).await.status }
    };
    assert_eq!(rate(reply.clone(), json!({ "rating": 5, "helpful": true })).await, 204);
    assert_eq!(talk.lines().await[2]["rating"], 5);
    for bad in [0, 6, -1, 70_000] {
        assert_eq!(rate(reply.clone(), json!({ "rating": bad })).await, 422, "{bad}");
    }
    assert_eq!(rate(own, json!({ "rating": 3 })).await, 422, "one's own line");
    assert_eq!(talk.lines().await[2]["rating"], 5);
    // Another wording has not been rated.
    talk.post(&format!("{reply}/regenerate"), json!({})).await;
    talk.rest().await;
    assert!(talk.lines().await[2].get("rating").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_reply_goes_on_even_if_it_was_whole() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    assert!(page(&talk.client, &format!("/chat/{}", talk.id)).await.contains("Continue"));
    app.model.script(|request| {
        assert_eq!(request.prefill, "The lamp is lit. Come in.");
        vec![Step::text(" Mind the step.")]
    });
    let reply = talk.line(2).await;
    let answer = talk.post(&format!("{reply}/continue"), json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    talk.rest().await;
    assert_eq!(said(&talk.lines().await)[2..], ["The lamp is lit. Come in. Mind the step."]);
    talk.answers("Later.");
    talk.say("Next").await;
    assert_eq!(talk.post(&format!("{reply}/continue"), json!({})).await.status, 409, "the talk has gone on since");
    assert_eq!(talk.post(&format!("{}/continue", talk.line(0).await), json!({})).await.status, 422, "a first line");
    assert_eq!(talk.post(&format!("{}/regenerate", talk.line(1).await), json!({})).await.status, 422, "one's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_reply_is_written_its_tree_stands_still() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    app.model.script(move |_| vec![Step::text("Half "), Step::Gate(Arc::clone(&held)), Step::text("whole.")]);
    talk.send("And?", json!({ "conversation_id": talk.id })).await;
    let (own, reply) = (talk.line(1).await, talk.line(2).await);
    for (method, path, body) in [
        (Method::POST, format!("{reply}/regenerate"), json!({})),
        (Method::POST, format!("{reply}/continue"), json!({})),
        (Method::POST, format!("{reply}/show"), json!({})),
        (Method::POST, format!("{own}/branch"), json!({})),
        (Method::POST, format!("{own}/wordings"), json!({ "content": "x" })),
        (Method::POST, format!("{reply}/wordings"), json!({ "content": "x" })),
        (Method::PATCH, own.clone(), json!({ "content": "x" })),
    ] {
        let answer = talk.to(method.clone(), &path, body).await;
        assert_eq!(answer.status, 409, "{method} {path}: {}", answer.text);
    }
    let draft = json!({ "conversation_id": talk.id });
    let answer = talk.client.post_json(&format!("/api/chat/{}/impersonate", talk.oc), &draft).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    // What one thinks of an earlier reply may be said at any time.
    assert_eq!(talk.to(Method::PUT, &format!("{reply}/rating"), json!({ "rating": 2 })).await.status, 204);
    gate.notify_one();
    talk.rest().await;
    assert_eq!(said(&talk.lines().await)[1..], ["Hello", "The lamp is lit. Come in.", "And?", "Half whole."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_lines_do_not_exist() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let before = talk.lines().await;
    let (own, reply) = (word(&before[1], "id"), word(&before[2], "id"));
    let (bob, _) = app.person("bob").await;
    let nobody = app.client();
    for (client, status) in [(&bob, 404), (&nobody, 401)] {
        for line in [&own, &reply, &uuid::Uuid::now_v7().to_string(), &"nonsense".to_owned()] {
            for (method, path, body) in [
                (Method::POST, format!("{line}/regenerate"), json!({})),
                (Method::POST, format!("{line}/continue"), json!({})),
                (Method::POST, format!("{line}/show"), json!({})),
                (Method::POST, format!("{line}/branch"), json!({})),
                (Method::POST, format!("{line}/wordings"), json!({ "content": "x" })),
                (Method::GET, format!("{line}/wordings"), json!({})),
                (Method::PUT, format!("{line}/rating"), json!({ "rating": 1 })),
                (Method::PATCH, line.clone(), json!({ "content": "x" })),
                (Method::DELETE, line.clone(), json!({})),
            ] {
                let answer = client.json(method.clone(), &format!("/api/messages/{path}"), &body, &[]).await;
                assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
            }
            for (verb, more) in [("edit_message", "&text=x"), ("branch_conversation", ""), ("rate_reply", "&rating=1")]
            {
                let request = Request::post(format!("/fn/chat/{verb}"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("sec-fetch-site", "same-origin")
                    .body(Body::from(format!("message_id={line}{more}")));
                let answer = client.send(request.unwrap()).await;
                assert_eq!(answer.status, status, "{verb}: {}", answer.text);
            }
        }
        let draft = json!({ "conversation_id": talk.id });
        let answer = client.post_json(&format!("/api/chat/{}/impersonate", talk.oc), &draft).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    // One's own conversation, but with somebody else's character in the address.
    let thorne = app.oc("thorne").await;
    let draft = json!({ "conversation_id": talk.id });
    assert_eq!(talk.client.post_json(&format!("/api/chat/{thorne}/impersonate"), &draft).await.status, 404);
    assert_eq!(talk.lines().await, before);
}
