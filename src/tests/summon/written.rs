//! What is kept of what a model writes, and what can be redrawn of it.

use super::{
    SENTENCE, behaves, events, has_part, only_job, person, pieces, said_with, status, summon, until,
    waits_at_the_greeting, wanted, well_said,
};
use crate::{
    ai::{FinishReason, schema::Shape},
    ids::JobId,
    tests::{Step, TestApp},
};
use axum::http::Method;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

#[tokio::test]
async fn fields_that_do_not_hold_are_asked_for_again_by_name() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    let count = AtomicU32::new(0);
    app.model.script(move |request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let bad = json!({"description": "As an AI language model, I cannot.", "greeting": "Hallo, ich bin die Wächterin und ich habe nie Zeit für dich, mein Freund.", "items": []});
        pieces(&if n == 0 { said_with(request, n, &bad) } else { well_said(request, n) })
    });
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let requests = app.model.requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(wanted(&requests[1]), ["description", "greeting", "items"]);
    let why = &requests[1].messages.last().unwrap().content;
    assert!(why.contains("`greeting`: it must be written in English") && why.contains("speaks of the task"), "{why}");
    assert!(answer.json()["description"].as_str().unwrap().contains("number 1"));
}

#[tokio::test]
async fn what_still_fails_is_filled_by_rule_and_said() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    app.model.script(move |request| {
        let bad = json!({"personality": "", "introduction": null, "palette": "puce", "greeting": "As an AI, hello."});
        pieces(&said_with(request, 1, &bad))
    });
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(app.model.requests.lock().unwrap().len(), 3, "one request and two repairs");
    let oc = answer.json();
    assert_eq!((oc["personality"].as_str(), &oc["introduction"]), (Some(SENTENCE), &Value::Null));
    assert_eq!(oc["greeting"], "Hello. I am Mara kettle.");
    let job = oc["job_id"].as_str().unwrap().to_owned();
    let told = events(&wren.get_json(&format!("/api/jobs/{job}/events")).await.text);
    let filled = told.iter().find(|e| e.2["name"] == "filled").expect("it is said");
    for field in ["personality", "greeting", "introduction", "appearance_tags"] {
        assert!(filled.2["value"].as_array().unwrap().contains(&json!(field)), "{field} in {}", filled.2);
    }
}

#[tokio::test]
async fn typography_and_wrapping_are_no_reason_to_fail() {
    for wrap in [
        |text: String| text,
        |text: String| format!("Here is your character:\n```json\n{text}\n```\nEnjoy!"),
        |text: String| text.replace("\",\"", "\",\n  \"").replace('}', ",}"),
        |text: String| {
            let pairs = text.split('"').enumerate();
            pairs.map(|(n, part)| format!("{}{part}", ["", "“", "”"][if n == 0 { 0 } else { 2 - n % 2 }])).collect()
        },
        |text: String| text.replace("The ", "**The** ").replace(". It", "… “It").replace("hurry", "café” — hurry"),
    ] as [fn(String) -> String; 5]
    {
        let app = TestApp::new().await;
        app.model.local.store(false, Ordering::SeqCst);
        let (wren, _) = person(&app, "wren").await;
        app.model.script(move |request| pieces(&wrap(well_said(request, 2))));
        let answer = summon(&wren, SENTENCE).await;
        assert_eq!(answer.status, 201, "{}: {}", wrap("{\"a\":\"b\",\"c\":\"d\"}".into()), answer.text);
        assert_eq!(app.model.requests.lock().unwrap().len(), 1);
        assert!(!answer.json()["description"].as_str().unwrap().contains("**"));
    }
}

#[tokio::test]
async fn names_ranks_and_others_come_out_right() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    behaves(&app.model);
    let isolde = summon(&wren, "Captain Isolde Marrow, a blunt salvage diver with silver eyes").await.json();
    assert_eq!(isolde["name"], "Captain Isolde Marrow");
    // A model that takes the heron's name is asked again before anything is written about a queen called Minister.
    let count = AtomicU32::new(0);
    app.model.script(move |request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        pieces(&if n == 0 { said_with(request, n, &json!({"name": "Minister"})) } else { well_said(request, n) })
    });
    let before = app.model.requests.lock().unwrap().len();
    let queen = summon(&wren, "An exiled queen of fifty who keeps a three-legged heron called Minister").await.json();
    assert_eq!((queen["name"].as_str(), queen["pronoun"].as_str()), (Some("Mara kettle"), Some("she")));
    let requests = app.model.requests.lock().unwrap();
    assert_eq!(requests.len(), before + 2);
    assert!(requests[before + 1].messages.last().unwrap().content.contains("Minister is somebody else"));
    assert_eq!(wanted(&requests[before + 1]).len(), wanted(&requests[before]).len(), "the whole is asked for again");
}

#[tokio::test]
async fn a_model_that_insists_on_somebody_elses_name_is_given_one() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    behaves(&app.model);
    app.model.script(move |request| {
        let name = match &request.schema.as_ref().unwrap().fields[0].shape {
            Shape::OneOf(names) => names[0].clone(),
            _ => "Minister".to_owned(),
        };
        pieces(&said_with(request, 0, &json!({"name": name})))
    });
    let answer = summon(&wren, "An exiled queen of fifty who keeps a three-legged heron called Minister").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    assert!(!name.is_empty() && !name.contains("Minister"), "{name}");
    assert_eq!(app.model.requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn texts_are_written_in_the_language_of_the_sentence() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    let german = json!({
        "description": "Sie hört jede Lüge, bevor sie gesagt ist, und schreibt sie in ein Heft.",
        "personality": "Sie lacht laut und verzeiht schnell. Sie zählt die Gläser.",
        "greeting": "Komm herein und setz dich. *Sie wischt den Tisch ab.*", "scenario": "Eine Wirtschaft am Fluss.",
        "example_dialogue": [{"user": "Ich bin müde.", "oc": "Dann setz dich zu mir und iss etwas Warmes."}],
        "introduction": {"title": "Neu hier", "content": "Ich habe eine Wirtschaft am Fluss und höre jede Lüge."},
        "items": [{"name": "Heft", "description": "Voller Lügen.", "personality_effects": "Merkt sich alles."}], "title": "Wirtin",
    });
    app.model.script(move |request| pieces(&said_with(request, 0, &german)));
    let oc = summon(&wren, "Eine Wirtin, die jede Lüge hört und trotzdem lacht").await.json();
    assert!(oc["greeting"].as_str().unwrap().starts_with("Komm herein"), "{oc}");
    let requests = app.model.requests.lock().unwrap();
    assert_eq!(requests.len(), 1, "German is right here");
    let said: Vec<&str> = requests[0].messages.iter().map(|m| m.content.as_str()).collect();
    assert!(
        said.last().unwrap().contains("in German") && said.iter().any(|m| m.contains("Bahnbögen")),
        "a German example"
    );
}

#[tokio::test]
async fn what_must_not_be_written_is_not() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    let refused = summon(&wren, "A naked 15-year-old boy who swims in the lake").await;
    assert_eq!((refused.status, refused.json()["error"]["field"].as_str().unwrap()), (422, "description"));
    assert!(app.model.requests.lock().unwrap().is_empty());
    app.model.script(|request| {
        pieces(&said_with(request, 0, &json!({"greeting": "I am a horny little girl.", "age_band": "child"})))
    });
    let kept = summon(&wren, SENTENCE).await.json();
    assert_eq!(kept["greeting"], "Hello. I am Mara harbour.");
}

#[tokio::test]
async fn a_model_that_only_writes_garbage_fails_clearly() {
    for text in ["", "I'm sorry, but I can't help with that.", "{\"name\": \"Mara\"", "lorem lorem lorem (("] {
        let app = TestApp::new().await;
        let (wren, _) = person(&app, "wren").await;
        app.model.script(move |_| vec![Step::text(text)]);
        let answer = summon(&wren, SENTENCE).await;
        assert_eq!(answer.status, 503, "{text}: {}", answer.text);
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains("no character that could be used"),
            "{}",
            answer.text
        );
        assert_eq!(status(&app, only_job(&app).await).await, "failed");
        assert_eq!(app.model.requests.lock().unwrap().len(), 3, "{text}: no more is paid for");
    }
}

#[tokio::test]
async fn half_an_answer_is_completed() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    let count = AtomicU32::new(0);
    app.model.script(move |request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let text = well_said(request, n);
        match n {
            0 => vec![Step::text(&text[..text.find("\"greeting\"").unwrap() + 20]), Step::End(FinishReason::Length)],
            _ => pieces(&text),
        }
    });
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let requests = app.model.requests.lock().unwrap();
    assert_eq!(wanted(&requests[1]), ["greeting", "example_dialogue", "items", "introduction"]);
}

#[tokio::test]
async fn text_of_the_model_is_only_text() {
    let app = TestApp::new().await;
    let evil = "A <script>alert(1)</script> \"quoted\" & braced keeper.";
    app.model.script(move |request| pieces(&said_with(request, 0, &json!({"description": evil}))));
    let (wren, _) = person(&app, "wren").await;
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["description"], evil, "kept as written, escaped where it is shown");
}

#[tokio::test]
async fn the_bytes_of_a_face_never_change_under_their_address() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let gate = waits_at_the_greeting(&app);
    let asking = tokio::spawn({
        let ada = ada.clone();
        async move { ada.post_json("/api/oc/summon", &json!({"description": SENTENCE, "publish": false})).await }
    });
    let job = only_job(&app).await;
    has_part(&app, job, "personality").await;
    let id: uuid::Uuid = sqlx::query_scalar("select oc_id from jobs where job_id = $1")
        .bind(job.0)
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    let path = format!("/portraits/{id}?v=1-{}", crate::ocs::DRAWING);
    let first = ada.get(&path).await.text;
    assert!(first.starts_with("<svg"));
    let answer = loop {
        gate.notify_waiters();
        if asking.is_finished() {
            break asking.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let oc = answer.json();
    assert_eq!((oc["version"].as_i64(), oc["personality"].as_str().map(str::is_empty)), (Some(1), Some(false)));
    assert_eq!(ada.get(&path).await.text, first);
    // Other words about them change nothing of the face, only of its address.
    let words = json!({"description": "A bearded king with a crown, horns and an eyepatch.", "appearance_tags": []});
    let changed = ada.json(Method::PATCH, &format!("/api/ocs/{id}"), &words, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let tags = changed.json()["appearance_tags"].as_array().unwrap().len();
    assert!(tags > 0, "an emptied face is settled again");
}

#[tokio::test]
async fn parts_of_a_draft_are_redrawn_one_by_one() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    behaves(&app.model);
    let job = ada.post_form("/fn/ocs/summon", &[("form[description]", SENTENCE)]).await.location().to_owned();
    let job_id: JobId = job.trim_start_matches("/summon/").parse().unwrap();
    until(&app, job_id, "done").await;
    let id: uuid::Uuid = sqlx::query_scalar("select oc_id from jobs where job_id = $1")
        .bind(job_id.0)
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    let id = id.to_string();
    let now = async || ada.get_json(&format!("/api/ocs/{id}")).await.json();
    let redraw = async |part: &str| ada.post_form("/fn/ocs/redraw", &[("oc_id", id.as_str()), ("part", part)]).await;
    let asked = app.model.requests.lock().unwrap().len();
    for part in ["appearance_tags", "visual_style"] {
        let before = now().await;
        assert_eq!(redraw(part).await.location(), job);
        let after = now().await;
        assert_ne!(after[part], before[part]);
        assert_eq!(
            (&after["greeting"], &after["visual_style"]["mood"]),
            (&before["greeting"], &before["visual_style"]["mood"])
        );
        assert_ne!(after["portrait_url"], before["portrait_url"], "a new face has a new address");
    }
    assert_eq!(app.model.requests.lock().unwrap().len(), asked, "no model is asked for those");
    for part in ["name", "greeting", "example_dialogue", "introduction"] {
        let before = now().await;
        assert_eq!(redraw(part).await.location(), job, "{part}");
        let after = now().await;
        assert_ne!(after[part], before[part], "{part}");
        assert_eq!(after["description"], before["description"]);
        let requests = app.model.requests.lock().unwrap();
        assert_eq!(wanted(requests.last().unwrap()), [part], "one small request");
    }
    let page = ada.get(&job).await.text;
    assert!(page.contains(now().await["greeting"].as_str().unwrap()), "the page shows the draft as it is now");
    let said = ada.post_form("/fn/ocs/set_pronoun", &[("oc_id", id.as_str()), ("pronoun", "he")]).await;
    assert_eq!((said.location(), now().await["pronoun"].as_str()), (job.as_str(), Some("he")));
    assert!(redraw("owner").await.location().contains("__err"));
    // A model that has nothing to say changes nothing.
    app.model.script(|_| vec![Step::text("I cannot.")]);
    let before = now().await;
    assert!(redraw("greeting").await.location().contains("__err"));
    assert_eq!(now().await, before);
    let (eve, _) = app.person("eve").await;
    assert!(
        eve.post_form("/fn/ocs/redraw", &[("oc_id", id.as_str()), ("part", "visual_style")])
            .await
            .location()
            .contains("__err")
    );
    assert_eq!(now().await, before);
}

#[tokio::test]
async fn a_sentence_is_kept_through_signing_up() {
    let app = TestApp::new().await;
    let nobody = app.client();
    let page = nobody.get("/summon?idea=A+fox+%26+a+hound").await;
    assert!(
        page.text.contains("A fox &amp; a hound") && page.text.contains("action=\"/summon/join\""),
        "{}",
        page.text
    );
    let to = nobody.get("/summon/join?idea=A+fox+%26+a+hound").await;
    assert_eq!(to.location(), "/sign-up?next=%2Fsummon%3Fidea%3DA%2Bfox%2B%2526%2Ba%2Bhound");
    assert!(nobody.get("/summon/join?idea=x&known=1").await.location().starts_with("/sign-in?next="));
    let (ada, _) = app.person("ada").await;
    assert_eq!(ada.get("/summon/join?idea=A+fox").await.location(), "/summon?idea=A+fox");
}
