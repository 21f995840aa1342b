//! Looking back over HTTP: search, windows of long conversations, files that go out and come in, two processes.

use super::{Answer, Client, Step, TestApp, sse::Events};
use crate::{
    chat::{
        At,
        history::{self, search},
        store,
    },
    ids::{ConversationId, MessageId, RunId, UserId},
    server::{
        bell::{self, Heard, Ring},
        serve,
    },
};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, Row};
use std::time::{Duration, Instant};
use uuid::Uuid;

async fn oc(app: &TestApp, slug: &str) -> Uuid {
    let row = sqlx::query("select oc_id from ocs where slug = $1").bind(slug).fetch_one(&mut app.sql().await).await;
    row.unwrap().get(0)
}

/// A conversation of this person with one line after the other, alternating, beginning with the character's.
async fn talk(app: &TestApp, user: UserId, slug: &str, lines: &[&str]) -> (ConversationId, Vec<MessageId>) {
    let mut sql = app.sql().await;
    let (conversation, oc) = (Uuid::now_v7(), oc(app, slug).await);
    sqlx::query("insert into conversations (conversation_id, user_id, oc_id) values ($1, $2, $3)")
        .bind(conversation)
        .bind(user.0)
        .bind(oc)
        .execute(&mut sql)
        .await
        .unwrap();
    let mut ids: Vec<MessageId> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let id = Uuid::now_v7();
        sqlx::query(
            "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content) values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id)
        .bind(conversation)
        .bind(user.0)
        .bind(ids.last().map(|m| m.0))
        .bind(if i % 2 == 0 { "oc" } else { "user" })
        .bind(*line)
        .execute(&mut sql)
        .await
        .unwrap();
        ids.push(MessageId(id));
    }
    sqlx::query("update conversations set active_leaf_id = $2 where conversation_id = $1")
        .bind(conversation)
        .bind(ids.last().map(|m| m.0))
        .execute(&mut sql)
        .await
        .unwrap();
    (ConversationId(conversation), ids)
}

async fn found(client: &Client, q: &str) -> Vec<String> {
    let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
    let answer = client.get_json(&format!("/api/search/messages?q={q}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().unwrap().iter().map(|h| h["html"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_in_every_language_and_only_by_their_owner() {
    let app = TestApp::new().await;
    let (ada, user) = app.person("ada").await;
    let (bob, other) = app.person("bob").await;
    let lines = [
        "The lamp at *Harrow Point* was lit.",
        "I met her in the Café Été, near the well-known harbour.",
        "これは日本語の会話です。",
        "Привет, мир.",
        "He said yes.No he said no.",
        "สวัสดีครับ",
        "<b>bold</b> & dangerous",
    ];
    let (conversation, ids) = talk(&app, user, "lumina", &lines).await;
    talk(&app, other, "lumina", &["A lamp of his own"]).await;
    for (q, expected) in [
        ("lamp", vec!["The <mark>lamp</mark> at Harrow Point was lit."]),
        ("LAM harr", vec!["The <mark>lam</mark>p at <mark>Harr</mark>ow Point was lit."]),
        ("cafe ete", vec!["I met her in the <mark>Café</mark> <mark>Été</mark>, near the well-known harbour."]),
        (
            "\"known harbour\"",
            vec!["I met her in the Café Été, near the well-<mark>known</mark> <mark>harbour</mark>."],
        ),
        ("\"harbour known\"", vec![]),
        ("日本語", vec!["これは<mark>日本語</mark>の会話です。"]),
        ("語日", vec![]),
        ("привет", vec!["<mark>Привет</mark>, мир."]),
        ("no", vec!["He said yes.<mark>No</mark> he said <mark>no</mark>."]),
        ("สวัสดี", vec!["<mark>สวัสดี</mark>ครับ"]),
        ("bold danger", vec!["&lt;b&gt;<mark>bold</mark>&lt;/b&gt; &amp; <mark>danger</mark>ous"]),
        ("lamp harbour", vec![]),
        ("amp", vec![]),
        ("-- \"\" %_\\ ' :* & | !", vec![]),
        ("'lamp':* & x", vec![]),
    ] {
        assert_eq!(found(&ada, q).await, expected, "{q}");
    }
    assert_eq!(found(&bob, "lamp").await, ["A <mark>lamp</mark> of his own"]);
    assert_eq!(app.client().get_json("/api/search/messages?q=lamp").await.status, 401);
    assert_eq!(bob.get_json(&format!("/api/search/messages?q=lamp&conversation_id={conversation}")).await.status, 404);
    assert_eq!(ada.get_json(&format!("/api/search/messages?q={}", "x".repeat(201))).await.status, 422);
    assert_eq!(ada.get_json("/api/search/messages?q=lamp&after=nonsense").await.status, 422);

    // As a page: a form, the finds with their links, the conversation by its name.
    let page = ada.get("/conversations?q=lamp").await;
    let link = format!("/chat/{conversation}?at={}#m-{}", ids[0], ids[0]);
    assert!(page.text.contains(&link) && page.text.contains("<mark>lamp</mark>"), "{}", page.text);
    assert!(page.text.contains("value=\"lamp\"") && !page.text.contains("his own"));
    assert!(ada.get("/conversations?q=lumi").await.text.contains(&format!("/chat/{conversation}\"")));
    assert!(ada.get("/conversations?q=zzz").await.text.contains("No results"));
    // A word with a wrong letter finds the nearest one that was said, and says so; programs get what they asked for.
    let page = ada.get("/conversations?q=harbuor%20HEr").await;
    assert!(
        page.text.contains("Showing results for “harbour HEr”") && page.text.contains(&ids[1].to_string()),
        "{}",
        page.text
    );
    assert!(found(&ada, "harbuor").await.is_empty());
    assert!(bob.get("/conversations?q=harbuor").await.text.contains("No results"), "words of others are not known");
    assert!(ada.get("/conversations?q=lqmq").await.text.contains("No results"), "two letters of four are too many");
    assert!(ada.get(&format!("/conversations?q={}", "x".repeat(201))).await.text.contains("too long"));
    let page = ada.get(&format!("/chat/{conversation}?q=lamp")).await;
    assert!(page.text.contains(&link) && page.text.contains("Search in Lumina"), "{}", page.text);
    let shown = ada.get(link.split('#').next().unwrap()).await;
    assert!(shown.text.contains(&format!("id=\"m-{}\"", ids[0])), "{}", shown.text);
    assert_eq!(bob.get(&format!("/chat/{conversation}?at={}", ids[0])).await.status, 404);
    assert_eq!(ada.get(&format!("/chat/{conversation}?at={}", Uuid::now_v7())).await.status, 404);
    let nobody = app.client().get("/conversations?q=lamp").await;
    assert!(nobody.location().starts_with("/sign-up"), "{} {}", nobody.status, nobody.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_found_when_it_is_whole() {
    let app = TestApp::new().await;
    let (client, user) = app.person("ada").await;
    let (conversation, ids) = talk(&app, user, "lumina", &["Hello", "Hi", ""]).await;
    let mut sql = app.sql().await;
    // As the writer of a run does twice a second, and at the end.
    let write = |unfinished: &str, words: &str| {
        format!(
            "begin; select set_config('app.unfinished', '{unfinished}', true);
             update messages set content = '{words}' where message_id = '{}'; commit",
            ids[2]
        )
    };
    sql.execute(AssertSqlSafe(write("on", "A quokka in"))).await.unwrap();
    assert!(found(&client, "quokka").await.is_empty());
    sql.execute(AssertSqlSafe(write("", "A quokka in the rain"))).await.unwrap();
    assert_eq!(found(&client, "quokka rain").await.len(), 1);
    // Pages go from the newest to the oldest, each once.
    let lines: Vec<String> = (0..47).map(|i| format!("wombat {i}")).collect();
    talk(&app, user, "thorne", &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get_json(&format!("/api/search/messages?q=wombat&after={after}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|h| h["html"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let expected: Vec<String> = (0..47).rev().map(|i| format!("<mark>wombat</mark> {i}")).collect();
    assert_eq!(seen, expected);
    let page = client.get("/conversations?q=wombat").await;
    assert!(page.text.contains("Older results"));
    let within = client.get_json(&format!("/api/search/messages?q=wombat&conversation_id={conversation}")).await.json();
    assert_eq!(within["items"], json!([]));
}

/// Rows of a table that this transaction has read so far.
async fn rows_read(tx: &mut crate::server::Tx) -> i64 {
    let row = sqlx::query(
        "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = 'messages'",
    );
    row.fetch_one(&mut **tx).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_lines_cost_what_a_window_costs() {
    let app = TestApp::new().await;
    let (client, user) = app.person("ada").await;
    let (conversation, first) = talk(&app, user, "lumina", &["line 1"]).await;
    let many = format!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content)
         select id(i), '{conversation}', '{user}', case i when 2 then '{}' else id(i - 1) end,
             case when i % 2 = 0 then 'user' else 'oc' end, 'line ' || i from generate_series(2, 10000) i;
         update conversations set active_leaf_id = id(10000) where conversation_id = '{conversation}'; analyze messages;",
        first[0]
    );
    let id = "create function pg_temp.id(i int) returns uuid language sql as
        $$ select ('01a20000-' || lpad(to_hex(i), 4, '0') || '-7000-8000-000000000000')::uuid $$;";
    let mut sql = app.sql().await;
    sql.execute(AssertSqlSafe(format!("{id} {}", many.replace("id(", "pg_temp.id(")))).await.unwrap();
    let line = |i: u32| MessageId(format!("01a20000-{i:04x}-7000-8000-000000000000").parse().unwrap());

    let mut told = Vec::new();
    for at in [At::Newest, At::Before(line(5000)), At::From(line(5000)), At::Around(line(5000)), At::Around(first[0])] {
        let mut tx = app.state.db.begin(user).await.unwrap();
        let before = rows_read(&mut tx).await;
        let window = store::window(&mut tx, conversation, at).await.unwrap();
        let read = rows_read(&mut tx).await - before;
        let window = window.drawn().await;
        // Sixty lines: each is walked, read, and counted among its wordings, some are walked down to first.
        assert!(read < 600, "{at:?} read {read} rows");
        let said: Vec<&str> = window.lines.iter().map(|l| l.content.as_str()).collect();
        told.push((
            said.first().copied().unwrap().to_owned(),
            said.last().copied().unwrap().to_owned(),
            window.is_newest,
        ));
        assert_eq!(window.later.is_none(), window.is_newest, "{at:?}");
        assert!(said.len() <= 60);
    }
    let expected = [
        ("line 9941", "line 10000", true),
        ("line 4940", "line 4999", false),
        ("line 5000", "line 5059", false),
        ("line 4961", "line 5020", false),
        ("line 1", "line 21", false),
    ]
    .map(|(a, b, n)| (a.to_owned(), b.to_owned(), n));
    assert_eq!(told, expected);

    // A rare word costs what it finds: the index of words serves people who stand behind the wall. (A table of this size is read
    // as quickly without any index, so that is ruled out here.)
    let mut tx = app.state.db.begin(user).await.unwrap();
    sqlx::query("set local enable_seqscan = off").execute(&mut *tx).await.unwrap();
    // The figures of a connection may still hold those of the transaction before.
    let before = rows_read(&mut tx).await;
    let terms = search::Terms::read("line 7777").unwrap();
    let (hits, _) = history::store::search(&mut tx, &terms, None, None).await.unwrap();
    assert_eq!((hits.len(), hits[0].is_shown), (1, true));
    let read = rows_read(&mut tx).await - before;
    // The find itself, and the way up to it from the end of the branch that is shown, no further.
    let way = 10_000 - 7_777;
    assert!((way..way + 100).contains(&read), "{read} rows for one find");
    drop(tx);

    // Forward and back as pages, by their links.
    let page = client.get(&format!("/chat/{conversation}?at={}", line(5000))).await;
    assert!(
        page.text.contains(&format!("?before={}", line(4961))) && page.text.contains(&format!("?from={}", line(5021)))
    );
    assert!(page.text.contains("Back to the latest messages") && !page.text.contains("Say something to"));
    let page = client.get(&format!("/chat/{conversation}?from={}", line(9941))).await;
    assert!(page.text.contains("line 10000") && page.text.contains("Say something to"), "the end is the newest window");
    assert!(!client.get(&format!("/chat/{conversation}?at={}", first[0])).await.text.contains("Earlier messages"));

    // A fork far back: the branch that is shown is followed, not the newest one; a line of the other is shown on its own.
    let other = MessageId::new();
    let fork = format!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content)
         values ('{other}', '{conversation}', '{user}', '{}', 'oc', 'another way')",
        line(5002)
    );
    sql.execute(AssertSqlSafe(fork)).await.unwrap();
    let mut tx = app.state.db.begin(user).await.unwrap();
    let window = store::window(&mut tx, conversation, At::From(line(5000))).await.unwrap().drawn().await;
    assert_eq!(window.lines.last().unwrap().content, "line 5059");
    let window = store::window(&mut tx, conversation, At::Around(other)).await.unwrap().drawn().await;
    assert_eq!((window.lines.last().unwrap().content.as_str(), window.is_newest), ("another way", false));
    assert!(window.later.is_none());
}

async fn import(client: &Client, query: &str, body: impl Into<Body>) -> Answer {
    let request =
        Request::post(format!("/api/conversations/import{query}")).header("content-type", "application/x-ndjson");
    client.send(request.body(body.into()).unwrap()).await
}

const CHAT: &str = r#"{"user_name":"Somebody","character_name":"Lumina","create_date":"2024-7-12@01h31m37s","chat_metadata":{}}
{"name":"Lumina","is_user":false,"send_date":"July 12, 2024 1:31am","mes":"Welcome, {{user}}."}
{"name":"Somebody","is_user":true,"send_date":"July 12, 2024 1:32am","mes":"Is the lamp lit?"}
{"name":"Lumina","is_user":false,"send_date":"July 12, 2024 1:33am","mes":"It is.","swipe_id":1,"swipes":["It was.","It is.","It will be."],"extra":{"model":"old-model"}}
{"name":"Somebody","is_user":true,"send_date":"July 12, 2024 1:34am","mes":"Good."}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_comes_in_and_goes_out_again() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let made = import(&client, "", CHAT).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["messages"], 6);
    let conversation = made.json()["conversation_id"].as_str().unwrap().to_owned();
    let said = client.get_json(&format!("/api/conversations/{conversation}/messages")).await.json()["items"].clone();
    let words: Vec<&str> = said.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(words[1..], ["Is the lamp lit?", "It is.", "Good."]);
    assert!(words[0].starts_with("Welcome, ") && !words[0].contains("{{"), "{}", words[0]);
    assert_eq!(said[2]["created_at"]["iso"], "2024-07-12T01:33:00.000Z");
    let page = client.get(&format!("/chat/{conversation}")).await;
    assert!(page.text.contains("2<!> of <!>3") || page.text.contains("2 of 3"), "swipes are other versions");
    // Times on the viewer's clock, and the day once above its first message.
    assert!(
        page.text.contains("title=\"12 July 2024, 01:33\"") && page.text.contains(">01:33<!></time>"),
        "{}",
        page.text
    );
    assert_eq!(page.text.matches("<p class=\"day\">").count(), 1, "{}", page.text);
    assert_eq!(found(&client, "it was").await.len(), 1);
    let list = client.get_json("/api/conversations").await.json();
    assert_eq!(list["items"][0]["last_line"], "Good.");
    // One can go on.
    let lumina = oc(&app, "lumina").await;
    let body = json!({ "content": "And now?", "conversation_id": conversation });
    assert_eq!(client.post_json(&format!("/api/chat/{lumina}/message"), &body).await.status, 202);
    let began = Instant::now();
    while app.model.requests.lock().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(app.model.requests.lock().unwrap()[0].messages.iter().any(|m| m.content.contains("It is.")));

    // Out as JSON and in again: the same tree, ratings and all.
    let rate = "update messages set user_rating = 4, was_helpful = true, model = 'old-model' where content = 'It is.'";
    app.sql().await.execute(rate).await.unwrap();
    let file = client.get(&format!("/chat/{conversation}/export.json")).await;
    assert_eq!(file.status, 200);
    let name = file.header("content-disposition");
    assert!(name.starts_with("attachment; filename=\"lumina-2024-07-12.json\""), "{name}");
    let tree = |file: &Answer| {
        let value = file.json();
        assert_eq!((value["format"].as_str(), value["version"].as_u64()), (Some("soulforge.conversation"), Some(1)));
        let messages = value["messages"].as_array().unwrap().clone();
        let content = |id: &Value| messages.iter().find(|m| m["id"] == *id).map(|m| m["content"].clone());
        let shown = content(&value["conversation"]["shown_until"]);
        let mut rows: Vec<String> = messages
            .iter()
            .map(|m| {
                let at = m["created_at"].as_str().unwrap();
                let minute = at.get(..16).unwrap();
                format!(
                    "{:?} {} {} {} {} {}",
                    content(&m["parent_id"]),
                    m["sender"],
                    m["content"],
                    minute,
                    m["rating"],
                    m["model"]
                )
            })
            .collect();
        rows.sort();
        (shown, rows)
    };
    let again = import(&client, "", file.text.clone()).await;
    assert_eq!(again.status, 201, "{}", again.text);
    let second = again.json()["conversation_id"].as_str().unwrap().to_owned();
    let copy = client.get_json(&format!("/api/conversations/{second}/export.json")).await;
    assert_eq!(tree(&file), tree(&copy));
    // Two chats with one character are told apart in the rail.
    let page = client.get("/characters").await;
    assert_eq!(page.text.matches("<b>Lumina: Is the lamp lit?<").count(), 2, "{}", page.text);
    assert!(file.text.contains("\"rating\":4") && file.text.contains("\"helpful\":true"));

    // As Markdown to read, as JSONL for SillyTavern.
    let markdown = client.get(&format!("/chat/{conversation}/export.md")).await;
    assert!(markdown.header("content-type").starts_with("text/markdown"));
    assert!(
        markdown.text.starts_with("# Lumina\n")
            && markdown.text.contains("**Lumina**, 12 July 2024, 01:33\n\nIt is.\n")
    );
    assert!(!markdown.text.contains("It was."), "only what is shown");
    let jsonl = client.get(&format!("/chat/{conversation}/export.jsonl")).await;
    let lines: Vec<Value> = jsonl.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["character_name"], "Lumina");
    assert_eq!(
        (&lines[3]["mes"], &lines[3]["swipe_id"], lines[3]["swipes"].as_array().unwrap().len()),
        (&json!("It is."), &json!(1), 3)
    );
    assert_eq!(lines[2]["is_user"], true);
    assert_eq!(import(&client, "", jsonl.text.clone()).await.status, 201);

    // Nobody else's.
    let (bob, _) = app.person("bob").await;
    for kind in ["md", "json", "jsonl"] {
        assert_eq!(bob.get(&format!("/chat/{conversation}/export.{kind}")).await.status, 404);
        assert_eq!(bob.get_json(&format!("/api/conversations/{conversation}/export.{kind}")).await.status, 404);
        assert_eq!(app.client().get(&format!("/chat/{conversation}/export.{kind}")).await.status, 401);
    }
}

/// A multipart body as browsers send it.
fn form(fields: &[(&str, Option<&str>, &str)]) -> String {
    let part = |(name, file, value): &(&str, Option<&str>, &str)| {
        let file =
            file.map(|f| format!("; filename=\"{f}\"\r\ncontent-type: application/octet-stream")).unwrap_or_default();
        format!("--b0und\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--b0und--\r\n"
}

async fn post_file(client: &Client, body: String) -> Answer {
    let request = Request::post("/conversations/import")
        .header("accept", "text/html,*/*;q=0.8")
        .header("content-type", "multipart/form-data; boundary=b0und")
        .header("sec-fetch-site", "same-origin");
    client.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_takes_a_chat_or_says_what_is_wrong_with_it() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let page = client.get("/conversations/import?with=thorne").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("multipart/form-data") && page.text.contains("Thorne"), "{}", page.text);
    let nobody = app.client().get("/conversations/import").await;
    assert!(nobody.location().starts_with("/sign-up"), "{} {}", nobody.status, nobody.location());

    let made = post_file(&client, form(&[("with", None, "thorne"), ("file", Some("a.jsonl"), CHAT)])).await;
    assert!(made.location().starts_with("/chat/"), "{} {}", made.status, made.text);
    assert!(client.get(made.location()).await.text.contains("Thorne"));
    let made = post_file(&client, form(&[("with", None, ""), ("file", Some("a.jsonl"), CHAT)])).await;
    assert!(client.get(made.location()).await.text.contains("Lumina"), "the one that the file names");

    let count = || async {
        let row = sqlx::query("select count(*) from conversations").fetch_one(&mut app.sql().await).await.unwrap();
        row.get::<i64, _>(0)
    };
    // A file that was cut off: what is there is taken over, and what is not is said with its line.
    let cut = CHAT.get(..CHAT.len() - 20).unwrap();
    let made = post_file(&client, form(&[("with", None, ""), ("file", Some("a.jsonl"), cut)])).await;
    assert!(made.location().starts_with("/conversations/import?done="), "{} {}", made.status, made.text);
    let page = client.get(made.location()).await;
    assert!(
        page.text.contains("5 messages imported") && page.text.contains("Line 5: This is not JSON"),
        "{}",
        page.text
    );
    let chat = page.text.split("href=\"/chat/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(client.get(&format!("/chat/{chat}")).await.text.contains("It is."));
    let by_api = import(&client, "", cut).await.json();
    assert_eq!((by_api["messages"].as_u64(), by_api["skipped"].as_u64()), (Some(5), Some(1)));
    assert_eq!(by_api["skipped_lines"], json!([{ "line": 5, "reason": "not_json" }]));
    // Words that somebody else put into an address are not shown.
    let page = client.get("/conversations/import?done=x&messages=%3Cb%3E&skipped=1&lines=9zBad-words").await;
    assert!(!page.text.contains("Bad") && !page.text.contains("imported"), "{}", page.text);
    let before = count().await;
    let unknown = CHAT.replace("Lumina", "Nobody Known");
    for (with, file, what) in [
        ("lumina", "{\"hello\":1}", "Line 1: "),
        ("lumina", "\u{0}\u{1}PNG", "Line 1: "),
        ("lumina", "", "choose a file first"),
        ("", unknown.as_str(), "No character here is called Nobody Known"),
        ("no-such-one", CHAT, "does not exist here"),
    ] {
        let back = post_file(&client, form(&[("with", None, with), ("file", Some("a.jsonl"), file)])).await;
        assert!(back.location().starts_with("/conversations/import?"), "{what}: {} {}", back.status, back.text);
        let page = client.get(back.location()).await;
        assert!(page.text.contains(what), "{what}: {}", back.location());
    }
    let large = " ".repeat(20 * 1024 * 1024 + 1);
    let back = post_file(&client, form(&[("file", Some("a.jsonl"), &large)])).await;
    assert!(client.get(back.location()).await.text.contains("20 MB"), "{} {}", back.status, back.location());
    assert_eq!(import(&client, "", large).await.status, 413);
    assert_eq!(import(&client, "", "nonsense").await.json()["error"]["field"], "file");
    assert_eq!(import(&app.client(), "", CHAT).await.status, 401);
    assert_eq!(count().await, before, "nothing is kept of what was refused");
    // Somebody else's draft is not there.
    let (bob, _) = app.person("bob").await;
    let body = json!({ "name": "Hidden One", "description": "d", "personality": "p" });
    assert_eq!(bob.post_json("/api/ocs", &body).await.status, 201);
    assert_eq!(import(&client, "?with=hidden-one", CHAT).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chat_with_hostile_text_comes_in() {
    let app = TestApp::new().await;
    let (client, user) = app.person("ada").await;
    let mut text = String::from("{\"user_name\":\"x\",\"character_name\":\"Lumina\"}\n");
    for i in 0..3000 {
        let mes = format!("line {i} <script>alert(1)</script> ![x](https://evil.example/{i})");
        text.push_str(
            &json!({ "mes": mes, "is_user": i % 2 == 1, "send_date": 4_000_000_000_000_u64 + i }).to_string(),
        );
        text.push('\n');
    }
    let made = import(&client, "", text).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let conversation = made.json()["conversation_id"].as_str().unwrap().to_owned();
    let page = client.get(&format!("/chat/{conversation}")).await;
    assert!(
        page.text.contains("line 2999")
            && !page.text.contains("<script>alert")
            && !page.text.contains("<img src=\"https://evil")
    );
    let mut tx = app.state.db.begin(user).await.unwrap();
    let row = sqlx::query(
        "select count(*), max(created_at) <= now(), count(*) filter (where parent_id is null) from messages",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<bool, _>(1), row.get::<i64, _>(2)), (3000, true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_hear_each_other_at_once() {
    let one = TestApp::new().await;
    let two = one.again();
    let (client, user) = one.person("ada").await;
    let elsewhere = two.client();
    for (name, value) in client.cookies() {
        elsewhere.set_cookie(&name, &value);
    }
    let (conversation, _) = talk(&one, user, "lumina", &["Hello"]).await;
    let lumina = oc(&one, "lumina").await;
    // What the second one hears, and does what it does.
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    bell::start(&two.state, move |app, said| {
        app.runs.hear(said);
        let _ = sender.send(said);
    });
    serve::hear_others(&one.state);
    let listening = || async {
        let rows = "select pid from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
        sqlx::query(rows).fetch_all(&mut one.sql().await).await.unwrap().len()
    };
    let began = Instant::now();
    while listening().await < 2 {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody listens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    while heard.try_recv().is_ok() {}
    one.state.runs.touch(conversation);
    let ring = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.expect("the bell").unwrap();
    assert_eq!(ring, Heard::Ring(Ring('c', conversation.0)), "only what was rung for");

    // As people have it: a line said on one is in the other's stream within a second, and so is the end of its reply. Without
    // the bell a stream looks every four seconds, so it may be late once on a busy machine, and not each time.
    let mut stream = Events::open(&elsewhere, &format!("/api/conversations/{conversation}/events"), None).await;
    assert_eq!(stream.next().await.unwrap().name, "changed");
    let mut in_time = 0;
    for i in 0..4 {
        let body = json!({ "content": format!("Line {i}"), "conversation_id": conversation });
        let began = Instant::now();
        let sent = client.post_json(&format!("/api/chat/{lumina}/message"), &body).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        assert_eq!(stream.next().await.unwrap().name, "changed");
        in_time += u32::from(began.elapsed() < Duration::from_secs(1));
        loop {
            let said = elsewhere.get_json(&format!("/api/conversations/{conversation}/messages")).await.json();
            let last = said["items"].as_array().unwrap().last().unwrap().clone();
            if last["status"] == "done" && said["items"].as_array().unwrap().len() == 3 + 2 * i {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What else was told meanwhile.
        while tokio::time::timeout(Duration::from_millis(300), stream.next()).await.is_ok() {}
    }
    assert!(in_time >= 3, "{in_time} of 4 within a second");

    // Stopping reaches the process that writes.
    one.model.script(|_| vec![Step::text("Half "), Step::Wait(Duration::from_secs(60))]);
    let body = json!({ "content": "Wait", "conversation_id": conversation });
    let sent = client.post_json(&format!("/api/chat/{lumina}/message"), &body).await.json();
    let run: RunId = sent["run_id"].as_str().unwrap().parse().unwrap();
    let live = one.state.runs.get(run).expect("a run of the first process");
    two.state.runs.stop(run);
    let mut changed = live.watch();
    let ended = async { while !live.has_ended() && changed.changed().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the bell reaches the writer");

    // A line that is cut is opened again, and everybody looks.
    while heard.try_recv().is_ok() {}
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
    one.sql().await.execute(cut).await.unwrap();
    let again = async { while heard.recv().await.expect("the line") != Heard::Anything {} };
    tokio::time::timeout(Duration::from_secs(15), again).await.expect("a look after the line was cut");
}
