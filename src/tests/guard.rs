//! What stands before every handler: by which name the site is reached, whose refused form it is, what comes too late.

use super::{Answer, Client, PASSWORD, Step, TestApp, talk::Talk};
use axum::{body::Body, http::Request};
use serde_json::json;
use sqlx::Row;

async fn form(client: &Client, host: &str, origin: Option<&str>) -> Answer {
    let body = "token=nonsense";
    let mut request = Request::post("/fn/accounts/claim_admin")
        .header("host", host)
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("referer", format!("http://{host}/sign-in"));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    client.send(request.body(Body::from(body)).unwrap()).await
}

async fn page(client: &Client, host: &str) -> Answer {
    client
        .send(Request::get("/sign-in").header("host", host).header("accept", "text/html").body(Body::empty()).unwrap())
        .await
}

/// Over plain http browsers say where a form comes from by `Origin` alone.
#[tokio::test(flavor = "multi_thread")]
async fn forms_work_by_every_name_that_is_ours() {
    let app = TestApp::new().await;
    for host in
        ["127.0.0.1:3000", "localhost:3000", "192.168.1.5:3000", "myserver:3000", "myserver.lan:3111", "[::1]:3000"]
    {
        let client = app.client();
        assert_eq!(page(&client, host).await.status, 200, "{host}");
        let answer = form(&client, host, Some(&format!("http://{host}"))).await;
        assert_eq!(answer.status, 302, "{host}: {}", answer.text);
        assert!(answer.location().starts_with("/sign-in?"), "it leads back within the site: {}", answer.location());
        // Another site's form is refused whatever the name, and so is the same name at another port.
        for origin in ["http://evil.example", "null", "http://myserver.lan:9999", "http://127.0.0.1"] {
            let answer = form(&client, host, Some(origin)).await;
            assert_eq!(answer.status, 403, "{host} {origin}");
            assert!(answer.header("content-type").starts_with("text/html"), "{}", answer.text);
            assert!(
                answer.text.contains("http://127.0.0.1:3000") && answer.text.contains("SOULFORGE_URL"),
                "{}",
                answer.text
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_others_may_own_is_misdirected() {
    // It listens to this machine alone.
    let app = TestApp::new().await;
    let client = app.client();
    for host in ["evil.example", "evil.example:3000", "lan.evil.com", "127.0.0.1.evil.com"] {
        let answer = page(&client, host).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.text.contains("http://127.0.0.1:3000"), "{}", answer.text);
        let request = Request::get("/api/ocs").header("host", host).body(Body::empty()).unwrap();
        assert_eq!(client.send(request).await.status, 421, "{host}");
        assert_eq!(form(&client, host, Some(&format!("http://{host}"))).await.status, 421, "{host}");
        let request = Request::get("/livez").header("host", host).body(Body::empty()).unwrap();
        assert_eq!(client.send(request).await.status, 200, "what watches the process may call it as it likes");
    }
    // It has an address: that one, and names that nobody outside can own.
    let mut state = app.state.clone();
    let url = Some("https://forge.example".parse().unwrap());
    state.config = std::sync::Arc::new(crate::server::config::Config { url, ..(*state.config).clone() });
    let client = Client::new(crate::server::router::router(state));
    for (host, status) in [
        ("forge.example", 200),
        ("FORGE.example:443", 200),
        ("127.0.0.1:3000", 200),
        ("soulforge:3000", 200),
        ("www.forge.example", 421),
    ] {
        assert_eq!(page(&client, host).await.status, status, "{host}");
    }
    assert_eq!(form(&client, "forge.example", Some("https://forge.example")).await.status, 302);
    assert_eq!(form(&client, "forge.example", Some("http://forge.example")).await.status, 403);
    assert_eq!(
        form(&client, "soulforge:3000", Some("http://soulforge:3000")).await.status,
        403,
        "the operator set another"
    );
}

#[test]
fn an_address_with_a_path_is_refused_at_the_start() {
    use clap::Parser;
    let check = |url: &str| match crate::server::config::Cli::try_parse_from(["soulforge", "serve", "--url", url]) {
        Ok(crate::server::config::Cli { command: crate::server::config::Command::Serve(config) }) => config.check(),
        _ => panic!("{url}"),
    };
    for good in ["https://forge.example", "https://forge.example/", "http://localhost:3000"] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for bad in
        ["https://forge.example/app", "https://forge.example/?x=1", "https://forge.example/#x", "ftp://forge.example"]
    {
        let said = check(bad).unwrap_err();
        assert!(said.contains("SOULFORGE_URL"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_shown_in_its_browser_on_its_page() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.client(), app.client());
    // To nobody in particular: the form is refused.
    let fields = [("oc_id", ""), ("content", "ada@example.org")];
    let refused = ada.post_form_from("/fn/chat/send_message", "/talk/lumina", &fields).await;
    let address = refused.location().to_owned();
    assert!(
        address.starts_with("/talk/lumina?") && address.contains("__err=") && address.contains("__draft="),
        "{address}"
    );
    let shown = ada.get(&address).await;
    assert!(shown.text.contains("ada@example.org"), "{}", shown.text);
    // The same address elsewhere: no fields, and no words of ours either.
    let elsewhere = eve.get(&address).await;
    assert_eq!((elsewhere.status, elsewhere.location()), (303, "/talk/lumina"));
    let draft = address.split("__draft=").nth(1).unwrap();
    let bare = eve.get(&format!("/talk/lumina?__draft={draft}")).await;
    assert!(bare.status == 200 && !bare.text.contains("ada@example.org"));
    // On another page of the same browser it is nothing either.
    let other = ada.get(&format!("/talk/elara?__draft={draft}")).await;
    assert!(other.status == 200 && !other.text.contains("ada@example.org"));
    // Somebody who has signed in since is somebody else.
    let (signed, _) = app.person("grace").await;
    for (name, value) in ada.cookies() {
        signed.set_cookie(&name, &value);
    }
    assert_eq!(signed.get(&address).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_puts_words_into_our_mouth() {
    use base64::Engine;
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let error =
        json!({ "code": "invalid", "field": "", "message": "Your account was locked. Call +1 555" }).to_string();
    let error = base64::engine::general_purpose::URL_SAFE.encode(error);
    for address in [
        format!("/sign-in?__path=/fn/accounts/sign_in&__err={error}"),
        format!("/settings/account?__path=/fn/accounts/change_email&__err={error}"),
        "/settings/profile?refused=Your+account+was+locked.+Call+%2B1+555".to_owned(),
        "/conversations/import?with=lumina&refused=Your+account+was+locked.+Call+%2B1+555".to_owned(),
    ] {
        let answer = ada.get(&address).await;
        assert_eq!(answer.status, 303, "{address}");
        assert!(
            !answer.location().contains("refused") && !answer.location().contains("__err"),
            "{}",
            answer.location()
        );
        assert!(!answer.text.contains("Call +1"), "{address}");
    }
    // With words of our own beside other words: neither.
    let fields = [("form[password]", "wrong"), ("form[next]", "/")];
    let refused = ada.post_form_from("/fn/accounts/confirm_password", "/confirm", &fields).await;
    assert_eq!(ada.get(refused.location()).await.status, 200);
    assert_eq!(ada.get(&format!("{}&refused=Call", refused.location())).await.status, 303);
    // What we do say about an upload is shown.
    let body = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nno picture\r\n--x--\r\n";
    let request = Request::post("/settings/avatar")
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=x");
    let refused = ada.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(refused.status, 303, "{}", refused.text);
    let shown = ada.get(refused.location()).await;
    assert!(shown.text.contains("JPEG, PNG, WebP or GIF"), "{}", refused.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_forms_are_few_small_and_short_lived() {
    let app = TestApp::with(&[]).await;
    let stranger = app.client();
    let long = "x".repeat(64 * 1024);
    let mut kept = 0;
    for _ in 0..110 {
        let answer = stranger
            .post_form_from("/fn/chat/send_message", "/talk/lumina", &[("content", ""), ("form[name]", &long)])
            .await;
        kept += u32::from(answer.location().contains("__draft="));
    }
    // And some more, as time goes by.
    assert!((60..90).contains(&kept), "{kept} forms of a stranger were kept");
    let mut sql = app.sql().await;
    let size = sqlx::query("select count(*), coalesce(sum(octet_length(fields::text)), 0)::bigint from form_drafts");
    let size = size.fetch_one(&mut sql).await.unwrap();
    assert!(size.get::<i64, _>(1) < 90 * 10, "{} rows, {} bytes", size.get::<i64, _>(0), size.get::<i64, _>(1));
    sqlx::query("update form_drafts set created_at = now() - interval '11 minutes'").execute(&mut sql).await.unwrap();
    let gone = crate::server::drafts::sweep(&app.state).await.unwrap();
    assert_eq!(i64::try_from(gone).unwrap(), size.get::<i64, _>(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_too_long_is_no_fault() {
    let app = TestApp::new().await;
    for path in
        [format!("/{}", "x/".repeat(2500)), format!("/pkg/{}", "y/".repeat(4000)), format!("/{}", "%20".repeat(900))]
    {
        let answer = app.client().get(&path).await;
        assert!(matches!(answer.status, 404 | 414), "{} for {} bytes", answer.status, path.len());
    }
}

/// What is deleted while something else is being done with it is not there any more; that is no fault of ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_is_not_found() {
    let app = TestApp::new().await;
    let lumina = app.oc("lumina").await;
    for round in 0..3 {
        let talk = Talk::begun(&app, &format!("ada{round}"), "lumina").await;
        let reply = talk.lines().await.last().map(|line| line["id"].as_str().unwrap().to_owned()).unwrap();
        let (ada, conversation) = (talk.client.clone(), talk.id.clone());
        let again = |n: u64| {
            let (client, path) = (ada.clone(), format!("/api/messages/{reply}/regenerate"));
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(2 * n)).await;
                client.post_json(&path, &json!({})).await
            }
        };
        let delete = async {
            let path = format!("/api/conversations/{conversation}");
            ada.json(axum::http::Method::DELETE, &path, &json!({}), &[]).await
        };
        let (answers, deleted) = futures::future::join(futures::future::join_all((0..6).map(again)), delete).await;
        for answer in answers.iter().chain([&deleted]) {
            assert!(answer.status < 500 || answer.status == 503, "{} {}", answer.status, answer.text);
        }
        // The account goes while its owner writes.
        let mut fresh = app.sql().await;
        sqlx::query("update sessions set authenticated_at = now()").execute(&mut fresh).await.unwrap();
        let name = format!("ada{round}");
        let fields = [("form[username]", name.as_str())];
        let leave = ada.post_form_from("/fn/accounts/delete_account", "/settings/account", &fields);
        let say = |n: u64| {
            let (client, path) = (ada.clone(), format!("/api/chat/{lumina}/message"));
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(2 * n)).await;
                client.post_json(&path, &json!({ "content": "And then?" })).await
            }
        };
        let (answers, left) = futures::future::join(futures::future::join_all((0..6).map(say)), leave).await;
        for answer in answers.iter().chain([&left]) {
            assert!(answer.status < 500 || answer.status == 503, "{} {}", answer.status, answer.text);
        }
    }
}

/// A password that makes an estimate explode costs little, and nothing at all when the limit has been reached.
#[tokio::test]
async fn the_limit_comes_before_the_work() {
    let app = TestApp::with(&[]).await;
    let client = app.client();
    let password = "4@8({[<369#!1|1!|0$5+7%2".repeat(4);
    let mut refused = Vec::new();
    for n in 0..80 {
        let body = json!({
            "username": format!("probe{n}"), "email": format!("p{n}@example.org"), "password": password,
            "birth_date": super::BORN,
        });
        let begun = std::time::Instant::now();
        let answer = client.post_json("/api/accounts", &body).await;
        if answer.status == 429 {
            refused.push(begun.elapsed());
        }
    }
    refused.sort();
    let middle = refused.get(refused.len() / 2).copied().expect("some were refused");
    assert!(middle.as_millis() < 50, "a refusal took {middle:?}");
    // Nobody's password is judged on a thread that serves.
    assert!(crate::accounts::rules::hard_to_guess("password", PASSWORD, "ada", "ada@example.org").is_ok());
    let begun = std::time::Instant::now();
    let short: String = password.chars().take(40).collect();
    let _ = crate::accounts::rules::hard_to_guess("password", &short, "ada", "ada@example.org");
    let _ = crate::accounts::rules::hard_to_guess("password", &"ab4@8(".repeat(166), "ada", "ada@example.org");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

/// One customer holds 65,536 networks of IPv6; together they have ten times the measure of one.
#[tokio::test]
async fn the_networks_of_one_site_share_a_limit() {
    let app = TestApp::with(&["--limit-factor", "0.1", "--trusted-proxies", "127.0.0.1"]).await;
    let client = app.client();
    let ask = |address: String| {
        let client = client.clone();
        async move {
            let (body, from) = (json!({ "login": "", "password": "" }), [("x-forwarded-for", address.as_str())]);
            client.json(axum::http::Method::POST, "/api/sessions", &body, &from).await.status
        }
    };
    let mut let_in = 0;
    for n in 0..40 {
        let_in += u32::from(ask(format!("2001:db8:7:{n:x}::1")).await == 422);
    }
    assert!((30..33).contains(&let_in), "{let_in} of 40 networks of one site");
    assert_eq!(ask("2001:db8:8:1::1".to_owned()).await, 422, "another site is not concerned");
}

/// The letters that people and models need come back as they were; what nobody sees is gone.
#[tokio::test(flavor = "multi_thread")]
async fn talk_keeps_its_letters() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let flag = "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
    let reply = format!("ខ្ញុំ\u{200b}សុខសប្បាយ {flag} a\u{202e}b.");
    let pieces: Vec<String> = reply.chars().map(String::from).collect();
    app.model.script(move |_| pieces.iter().map(|piece| Step::text(piece.as_str())).collect());
    talk.say("សួស្តី\u{200b}អ្នក, pasted\u{200b} from a\u{c}page").await;
    let said: Vec<String> =
        talk.lines().await.iter().map(|line| line["content"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(said.contains(&"សួស្តី\u{200b}អ្នក, pasted from a\npage".to_owned()), "{said:?}");
    assert!(said.contains(&format!("ខ្ញុំ\u{200b}សុខសប្បាយ {flag} ab.")), "{said:?}");
}

/// What the policy of a page has stopped is told to whoever wants to hear it, and to nobody otherwise.
#[tokio::test]
async fn what_a_policy_stops_is_reported_where_that_is_set() {
    for (flags, is_reported) in [(&[][..], false), (&["--csp-report", "https://reports.example/csp"][..], true)] {
        let app = TestApp::with(flags).await;
        let page = app.client().get("/sign-in").await;
        let policy = page.header("content-security-policy").to_owned();
        assert!(policy.contains("script-src 'nonce-"), "{policy}");
        assert_eq!(policy.contains("report-to csp"), is_reported, "{policy}");
        let to = if is_reported { "csp=\"https://reports.example/csp\"" } else { "" };
        assert_eq!(page.header("reporting-endpoints"), to);
    }
}
