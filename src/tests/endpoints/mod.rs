//! What holds for every endpoint, tested on every endpoint: the list is made from the code, so a new one joins by itself.
//!
//! The person with one of everything is the owner of `walls`: each of their rows has the same id, so one id tries all
//! kinds. Where an endpoint differs from a rule it stands in the rule's list of exceptions, with the reason; a line that
//! is no longer needed fails as well.

mod canary;
mod erasure;
mod limits;
mod list;
mod source;

use super::{Answer, Client, TestApp, walls};
use crate::server::session::hash_token;
use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, Uri},
};
pub(super) use list::all;
use list::{Endpoint, Exceptions, Kind, Place};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// An id that nothing has.
const UNKNOWN: &str = "00000000-0000-7000-8000-00000000009e";
/// A character's name in addresses that nobody has.
const NOBODY: &str = "nobody-of-this-name";
/// The draft of the owner.
const DRAFT: &str = "walled";

/// A site with one person who has one of everything, and what there is to ask.
struct Site {
    app: TestApp,
    sql: PgConnection,
    endpoints: Vec<Endpoint>,
}

impl Site {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let sql = walls::fixture(&app).await;
        let endpoints = list::all(&app).await;
        Self { app, sql, endpoints }
    }

    /// A browser in which this person has just signed in.
    async fn signed_in(&mut self, user: &str) -> Client {
        let token = uuid::Uuid::new_v4().to_string();
        sqlx::query(
            "insert into sessions (user_id, token_hash, expires_at) values ($1::uuid, $2, now() + interval '1 day')",
        )
        .bind(user)
        .bind(hash_token(&token))
        .execute(&mut self.sql)
        .await
        .expect("a session");
        let client = self.app.client();
        client.set_cookie("sf", &token);
        client
    }

    /// Every row that names the owner or one of the owner's things, but for when they were last here.
    async fn belongings(&mut self) -> BTreeSet<String> {
        let tables = sqlx::query(
            "select c.relname::text as name, string_agg(format('%I in (%L, %L)', a.attname, $1::text, $2::text), ' or ') as is_theirs
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.atttypid = 'uuid'::regtype and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> 'sessions' group by 1",
        )
        .bind(walls::OWNER)
        .bind(walls::ROW)
        .fetch_all(&mut self.sql)
        .await
        .expect("the tables");
        let mut found = BTreeSet::new();
        for table in tables {
            let (name, is_theirs): (String, String) = (table.get("name"), table.get("is_theirs"));
            let text = format!(
                "select (to_jsonb(t) - 'last_active_at' - 'last_used_at')::text from {name} t where {is_theirs}"
            );
            let rows: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut self.sql).await.expect("their rows");
            found.extend(rows.into_iter().map(|row| format!("{name}: {row}")));
        }
        assert!(found.len() > 15, "the owner has one of everything");
        found
    }
}

/// Asks, and reads the answer to its end unless it is a stream.
async fn ask(client: &Client, request: Request<Body>) -> Answer {
    let what = format!("{} {}", request.method(), request.uri());
    let response = tokio::time::timeout(Duration::from_secs(60), client.send_raw(request)).await;
    let (parts, body) = response.unwrap_or_else(|_| panic!("{what}: no answer")).into_parts();
    let is_stream = parts.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream"));
    let bytes = if is_stream { Bytes::new() } else { to_bytes(body, 64 << 20).await.expect("the body") };
    Answer { status: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// As our own pages ask: from this site.
pub(super) fn from_here(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("sec-fetch-site", "same-origin".parse().expect("a value"));
    request
}

fn with(mut request: Request<Body>, headers: &[(&'static str, &'static str)]) -> Request<Body> {
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    request
}

/// The endpoint's request with another body.
fn with_body(endpoint: &Endpoint, kind: &'static str, body: impl Into<Body>) -> Request<Body> {
    let (mut parts, _) = endpoint.plausible(UNKNOWN, NOBODY).into_parts();
    parts.headers.insert("content-type", kind.parse().expect("a type"));
    from_here(Request::from_parts(parts, body.into()))
}

fn start(text: &str) -> String {
    text.chars().take(200).collect()
}

/// A fault of ours. "Not now" (503) is none: the scripted model makes no characters.
fn is_fault(answer: &Answer) -> bool {
    answer.status >= 500 && answer.status != 503
}

/// Errors of the API have one shape.
fn has_shape(answer: &Answer) -> bool {
    if answer.status < 400 {
        return true;
    }
    let Ok(json) = serde_json::from_str::<serde_json::Value>(&answer.text) else { return false };
    let error = &json["error"];
    let word = |name: &str| error[name].as_str().is_some_and(|t| !t.is_empty());
    answer.header("content-type").starts_with("application/json") && word("code") && word("message")
}

/// Who may be asked by anybody.
const PUBLIC: &[(&str, &str)] = &[
    ("DELETE /api/sessions/current", "signing out nobody is fine"),
    ("GET /", "the home page"),
    ("GET /about-ai", "for everybody: that characters are AI"),
    ("GET /api/ocs", "the gallery for programs; drafts are not in it"),
    ("GET /api/openapi.json", "the description of the API"),
    ("GET /api/models/status", "whether the model answers yet: a line on pages that anybody may read"),
    ("GET /api/usernames/{name}", "whether a username is free, while somebody joins"),
    ("GET /banner.png", "the picture beside links to pages without one of their own"),
    ("GET /characters", "the gallery"),
    ("GET /contact", "for everybody: who runs the site"),
    ("GET /developers", "the description of the API, for people"),
    ("GET /fn/accounts/frame", "every page asks it who is signed in"),
    ("GET /fn/developers/docs", "the description of the API"),
    ("GET /fn/models/status", "whether the model answers yet"),
    ("GET /fn/ocs/gallery", "the gallery"),
    ("GET /fn/ocs/home", "the home page"),
    ("GET /forgot", "for people who cannot sign in"),
    ("GET /fn/ocs/suggest", "the gallery, for the search beside every page"),
    ("GET /fn/ocs/summon_hints", "who writes summons, for the page that says what it is about"),
    ("GET /goodbye", "the page after an account was deleted"),
    ("GET /livez", "asked by whatever watches the process"),
    ("GET /privacy", "for everybody: what is kept"),
    ("GET /portraits/preview.svg", "drawn from the query alone"),
    ("GET /readyz", "asked by the proxy in front"),
    ("GET /settings/appearance", "the theme belongs to the device"),
    ("GET /sign-in", "for people who are not signed in"),
    ("GET /sign-up", "for people who are not signed in"),
    ("GET /summon", "takes a sentence, and signs one up with it"),
    ("GET /terms", "for everybody: what holds"),
    ("GET /themes/preview.css", "made from the query alone"),
    ("POST /api/accounts", "signing up"),
    ("POST /api/sessions", "signing in"),
    ("POST /fn/accounts/set_theme", "the theme belongs to the device"),
    ("POST /fn/accounts/sign_out", "signing out nobody is fine"),
    ("POST /forgot", "for people who cannot sign in"),
    ("POST /sign-in", "signing in"),
    ("POST /sign-up", "signing up"),
    ("POST /welcome", "forgets codes that are shown; nobody's are none"),
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_served_without_a_session() {
    let site = Site::new().await;
    let mut public = Exceptions::new("endpoints serve people who are not signed in", PUBLIC);
    for endpoint in &site.endpoints {
        // A new browser each time: some of them sign one in.
        let answer = ask(&site.app.client(), from_here(endpoint.plausible(walls::ROW, DRAFT))).await;
        let doors = ["/sign-in", "/sign-up", "/confirm"];
        let leads_in = (300..400).contains(&answer.status) && doors.iter().any(|d| answer.location().starts_with(d));
        public.judge(endpoint, leads_in || matches!(answer.status, 401 | 404), || {
            format!("{} {} {}", answer.status, answer.location(), start(&answer.text))
        });
    }
    public.finish();
}

/// The endpoints that serve a guest where they would refuse a stranger, asked for things that belong to nobody.
pub(super) async fn guest_answers() -> Vec<String> {
    let mut site = Site::new().await;
    let mut open = Vec::new();
    // With an account of their own they are no guest any more.
    let stays = |e: &Endpoint| !matches!(e.name().as_str(), "POST /api/accounts" | "POST /api/sessions");
    for endpoint in site.endpoints.clone().into_iter().filter(stays) {
        let refuses = |answer: &Answer| {
            answer.status == 401 || (300..400).contains(&answer.status) && answer.location().starts_with("/sign-")
        };
        let stranger = ask(&site.app.client(), from_here(endpoint.plausible(UNKNOWN, NOBODY))).await;
        let client = site.signed_in(walls::GUEST).await;
        let guest = ask(&client, from_here(endpoint.plausible(UNKNOWN, NOBODY))).await;
        assert!(!is_fault(&guest), "{}: {} {}", endpoint.name(), guest.status, start(&guest.text));
        if refuses(&stranger) && !refuses(&guest) {
            open.push(endpoint.name());
        }
    }
    open
}

/// What differs by itself from answer to answer: ids, numbers, secrets, and the word that was asked with.
/// A page's pieces come in the order in which they were ready, so the words are sorted.
fn without_chance(endpoint: &Endpoint, answer: &Answer, asked: &[&str]) -> Vec<String> {
    // What was made is different each time; that it was made is what counts.
    let made = !endpoint.is_read() && (200..300).contains(&answer.status);
    let said = if made { "" } else { answer.text.as_str() };
    let mut text = format!("{} {} ", answer.status, answer.location());
    for (n, part) in said.split("nonce=\"").enumerate() {
        text.push_str(if n == 0 { part } else { part.split_once('"').map_or(part, |(_, rest)| rest) });
    }
    for word in asked {
        text = text.replace(word, "?");
    }
    let long_word = |part: &str| {
        let has = |kind: fn(&u8) -> bool| part.bytes().any(|b| kind(&b));
        part.len() >= 16 && (has(u8::is_ascii_digit) || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
    };
    let mut words: Vec<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .filter(|part| !long_word(part))
        .map(|part| part.chars().filter(|c| !c.is_ascii_digit()).collect())
        .filter(|part: &String| !part.is_empty())
        .collect();
    words.sort();
    words.insert(0, answer.status.to_string());
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_id_answers_like_an_unknown_one() {
    let mut site = Site::new().await;
    let before = site.belongings().await;
    let mut faults = Vec::new();
    let own = "00000000-0000-7000-8000-0000000000f2";
    let mut asked = 0;
    for endpoint in site.endpoints.clone() {
        // Names are unique and taken before everybody's eyes; passwords name nothing.
        let names = |l: &list::Leaf| l.kind != Kind::Fixed && l.last() != "name" && !l.last().contains("password");
        let named: Vec<usize> =
            (0..endpoint.leaves.len()).filter(|n| endpoint.leaves.get(*n).is_some_and(names)).collect();
        // All at once; each alone among unknown ones; each alone among the asker's own.
        let mut tries: Vec<(Option<usize>, &str, &str)> = vec![];
        if endpoint.has_ids() {
            tries.push((None, UNKNOWN, NOBODY));
        }
        for n in &named {
            tries.push((Some(*n), UNKNOWN, NOBODY));
            tries.push((Some(*n), own, "beyond"));
        }
        for (only, id, slug) in tries {
            for secret in [walls::ROW, walls::OWNER] {
                let fill = |value: &'static str, draft: &'static str| {
                    endpoint.request(|n, leaf| match only {
                        Some(this) if this != n => leaf.naming(id, slug),
                        _ => match leaf.kind {
                            Kind::Slug => draft.to_owned(),
                            Kind::Text if only.is_some() => value.to_owned(),
                            _ => leaf.naming(value, draft),
                        },
                    })
                };
                // A session each: some end sessions, some change what the next one would find.
                let stranger = site.signed_in(walls::STRANGER).await;
                let theirs = ask(&stranger, from_here(fill(secret, DRAFT))).await;
                let stranger = site.signed_in(walls::STRANGER).await;
                let unknown = ask(&stranger, from_here(fill(UNKNOWN, NOBODY))).await;
                asked += 1;
                let words = [secret, DRAFT, UNKNOWN, NOBODY, own];
                let (theirs, unknown) =
                    (without_chance(&endpoint, &theirs, &words), without_chance(&endpoint, &unknown, &words));
                if theirs != unknown {
                    let leaf = only.and_then(|n| endpoint.leaves.get(n)).map_or("all", |l| l.name.as_str());
                    let only_in = |a: &[String], b: &[String]| {
                        start(&a.iter().filter(|w| !b.contains(w)).cloned().collect::<Vec<_>>().join(" "))
                    };
                    faults.push(format!(
                        "{} ({leaf} = {secret}): {} words against {}\n  only theirs:  {}\n  only unknown: {}",
                        endpoint.name(),
                        theirs.len(),
                        unknown.len(),
                        only_in(&theirs, &unknown),
                        only_in(&unknown, &theirs)
                    ));
                }
                if !named.iter().any(|n| endpoint.leaves.get(*n).is_some_and(|l| l.kind != Kind::Slug)) {
                    break;
                }
            }
        }
    }
    assert!(faults.is_empty(), "another person's id is told from an unknown one:\n{}", faults.join("\n"));
    assert!(asked > 100, "only {asked} questions were asked");
    assert_eq!(before, site.belongings().await, "a stranger changed something of the owner's");
}

/// Endpoints whose answer to the owner is no other than to an unknown id, though they take one.
const BLIND: &[(&str, &str)] = &[
    ("GET /admin/models/model/{id}", "for admins, and the owner is none; tests/models.rs asks as one"),
    ("GET /admin/models/provider/{id}", "for admins"),
    ("POST /admin/models/model/{id}/try", "for admins"),
    ("POST /fn/accounts/make_reset_link", "for admins; tests/accounts_recovery.rs asks as one"),
    ("POST /fn/accounts/revoke_invitation", "for admins; tests/accounts_doors.rs asks as one"),
    ("POST /fn/accounts/suspend", "for admins; tests/accounts_suspend.rs asks as one"),
    ("POST /fn/admin/cancel_job", "for admins; tests/jobs asks as one"),
    ("POST /fn/admin/retry_job", "for admins; tests/jobs asks as one"),
    ("POST /fn/models/delete_model", "for admins"),
    ("POST /fn/models/delete_provider", "for admins"),
    ("POST /fn/models/fetch_list", "for admins"),
    ("POST /fn/models/save_model", "for admins"),
    ("POST /fn/models/save_provider", "for admins"),
    ("POST /fn/ocs/change_featured", "for admins; tests/home.rs asks as one"),
    ("POST /fn/ocs/wake_summoned", "the summon of the fixture has made nobody yet"),
];

/// The test above proves nothing about an endpoint that does not know the id anyway: the owner must be told something else.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_answered_otherwise() {
    let first = Site::new().await;
    let mut blind = Exceptions::new("the owner of an id is answered as if it were unknown", BLIND);
    for endpoint in first.endpoints.iter().filter(|e| e.has_ids()) {
        // What it deletes is there again for the next one.
        let app = TestApp::new().await;
        let mut site = Site { sql: walls::fixture(&app).await, app, endpoints: Vec::new() };
        let owner = site.signed_in(walls::OWNER).await;
        let unknown = ask(&owner, from_here(endpoint.plausible(UNKNOWN, NOBODY))).await;
        let own = ask(&owner, from_here(endpoint.plausible(walls::ROW, DRAFT))).await;
        let words = [walls::ROW, DRAFT, UNKNOWN, NOBODY];
        let differ = without_chance(endpoint, &own, &words) != without_chance(endpoint, &unknown, &words);
        blind.judge(endpoint, differ, || format!("{} {}", own.status, start(&own.text)));
    }
    blind.finish();
}

/// Endpoints that other sites' pages may post to.
const OPEN_TO_OTHER_SITES: &[(&str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn posts_from_other_sites_are_refused() {
    let mut site = Site::new().await;
    let before = site.belongings().await;
    let owner = site.signed_in(walls::OWNER).await;
    let ways: [&[(&str, &str)]; 5] = [
        &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        // A form needs no JSON; without a word about where it comes from it counts as one.
        &[("content-type", "text/plain")],
    ];
    let mut open = Exceptions::new("endpoints do what other sites' pages ask", OPEN_TO_OTHER_SITES);
    let mut refused = 0;
    for endpoint in site.endpoints.iter().filter(|e| !e.is_read()) {
        let mut taken = Vec::new();
        for way in ways {
            let answer = ask(&owner, with(endpoint.plausible(walls::ROW, DRAFT), way)).await;
            // People get a page that says which address is expected.
            let is_page =
                answer.header("content-type").starts_with("text/html") && answer.text.contains("another site");
            if answer.status != 403 || !(is_page || has_shape(&answer)) {
                taken.push(format!("{way:?}: {} {}", answer.status, start(&answer.text)));
            }
        }
        refused += 1;
        open.judge(endpoint, taken.is_empty(), || taken.join("\n  "));
    }
    open.finish();
    assert!(refused > 40, "only {refused} endpoints were asked");
    assert_eq!(before, site.belongings().await, "a post from another site changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_changes_nothing() {
    let mut site = Site::new().await;
    let before = site.belongings().await;
    let mut changed = Vec::new();
    for endpoint in site.endpoints.clone().iter().filter(|e| e.is_read()) {
        let owner = site.signed_in(walls::OWNER).await;
        ask(&owner, endpoint.plausible(walls::ROW, DRAFT)).await;
        let after = site.belongings().await;
        if after != before {
            let rows: Vec<String> = after.symmetric_difference(&before).map(|r| start(r)).collect();
            changed.push(format!("{}: {rows:?}", endpoint.name()));
            break;
        }
    }
    assert!(changed.is_empty(), "a GET changes something, and links from other sites may GET:\n{}", changed.join("\n"));
}

/// Uploads: read to their end up to 32 MB, so that the refusal reaches the browser.
const UPLOADS: &[(&str, &str)] = &[
    ("POST /c/{slug}/avatar", "takes pictures up to 5 MB; tests/ocs.rs sends larger ones"),
    ("POST /api/ocs/import", "takes characters as files of up to 32 MB; tests/cards.rs sends larger ones"),
    ("POST /characters/import", "takes characters as files of up to 32 MB; tests/cards.rs sends larger ones"),
    ("POST /api/conversations/import", "takes whole conversations and has a limit of its own"),
    ("POST /conversations/import", "takes whole conversations and has a limit of its own"),
    ("POST /settings/avatar", "takes pictures up to 5 MB; tests/avatars.rs sends larger ones"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_are_refused() {
    let mut site = Site::new().await;
    let client = site.signed_in(walls::OWNER).await;
    let mut uploads = Exceptions::new("endpoints take bodies of any size", UPLOADS);
    let long = "x".repeat(crate::server::guard::BODY_LIMIT + 1);
    for endpoint in site.endpoints.iter().filter(|e| !e.is_read()) {
        let kind = if endpoint.is_api() { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut request = with_body(endpoint, kind, long.clone());
        request.headers_mut().insert("content-length", long.len().into());
        let said = ask(&client, request).await;
        let halves =
            futures::stream::iter(long.as_bytes().chunks(9000).map(Bytes::copy_from_slice).collect::<Vec<_>>());
        let halves = futures::StreamExt::map(halves, Ok::<_, std::convert::Infallible>);
        let unsaid = ask(&client, with_body(endpoint, kind, Body::from_stream(halves))).await;
        let refused = [&said, &unsaid].iter().all(|a| a.status == 413 && has_shape(a));
        uploads.judge(endpoint, refused, || {
            format!(
                "{} {}, of unknown length {} {}",
                said.status,
                start(&said.text),
                unsaid.status,
                start(&unsaid.text)
            )
        });
    }
    uploads.finish();
}

/// Bodies that no form and no program sends.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let deep = "[".repeat(3000);
    let brackets = format!("form{}=1", "[a]".repeat(500));
    vec![
        ("application/json", b"{\"".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"null".to_vec()),
        ("application/json", b"{\"name\": {\"a\": [1]}, \"content\": 7, \"description\": false}".to_vec()),
        ("application/json", b"{\"name\": \"\xff\xfe\", \"content\": \"\xc3\x28\"}".to_vec()),
        ("application/json", deep.into_bytes()),
        ("text/plain", b"a=b".to_vec()),
        ("text/xml; charset=utf-16", b"<a/>".to_vec()),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\xff".to_vec()),
        ("application/x-www-form-urlencoded", b"%ff%fe=%c3%28&form%5Bname%5D=%00".to_vec()),
        ("application/x-www-form-urlencoded", b"form=1&form[name]=2&form[]=3&id=".to_vec()),
        ("application/x-www-form-urlencoded", brackets.into_bytes()),
        ("multipart/form-data", b"--x\r\n".to_vec()),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nabc".to_vec(),
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nname\xff\r\n\r\n--x--".to_vec()),
        ("application/x-www-form-urlencoded", Vec::new()),
    ]
}

/// Endpoints that need nothing of their body, so that a broken one is none to them.
const NEEDS_NO_BODY: &[(&str, &str)] = &[
    ("DELETE /api/sessions/current", "takes nothing"),
    ("POST /c/{slug}/avatar", "a refused upload leads back to its page with a word about it"),
    ("POST /characters/import", "a refused upload leads back to its page with a word about it"),
    ("POST /conversations/import", "a refused upload leads back to its page with a word about it"),
    ("POST /fn/accounts/end_other_devices", "takes nothing"),
    ("POST /fn/accounts/remove_avatar", "takes nothing"),
    ("POST /fn/accounts/sign_out", "takes nothing"),
    ("POST /welcome/codes", "takes nothing"),
    ("POST /welcome", "leads on to the way that it can read, or else home"),
    ("POST /settings/avatar", "a refused upload leads back to its page with a word about it"),
];

#[tokio::test(flavor = "multi_thread")]
async fn broken_bodies_are_refused_and_never_our_fault() {
    let mut site = Site::new().await;
    let mut faults = Vec::new();
    let mut lenient = Exceptions::new("endpoints take broken bodies", NEEDS_NO_BODY);
    for endpoint in site.endpoints.clone().iter().filter(|e| !e.is_read()) {
        let mut taken = Vec::new();
        for (kind, body) in broken() {
            let client = site.signed_in(walls::STRANGER).await;
            let what = format!("{kind}: {}", start(&String::from_utf8_lossy(&body)));
            let answer = ask(&client, with_body(endpoint, kind, body)).await;
            if is_fault(&answer) || (endpoint.is_api() && !has_shape(&answer)) {
                faults.push(format!("{} {what}: {} {}", endpoint.name(), answer.status, start(&answer.text)));
            }
            if answer.status < 400 {
                taken.push(what);
            }
        }
        lenient.judge(endpoint, taken.is_empty(), || taken.join("\n  "));
    }
    assert!(
        faults.is_empty(),
        "broken bodies are answered with an error of ours, or in another shape:\n{}",
        faults.join("\n")
    );
    lenient.finish();
}

/// Values that are text, but nothing that anybody means.
fn strange() -> Vec<String> {
    vec![
        "\0".to_owned(),
        "a\0b".to_owned(),
        "\u{202e}\u{0007}\u{feff}\u{200d}".to_owned(),
        "x".repeat(60_000),
        "-1".to_owned(),
        "99999999999999999999999999".to_owned(),
        "'\"><script>alert(1)</script>\\%%_{}".to_owned(),
        "../../etc/passwd".to_owned(),
        "👩‍👩‍👧‍👦é".repeat(50),
        "00000000-0000-7000-8000-0000000000f0; drop table ocs".to_owned(),
        String::new(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_values_are_never_our_fault() {
    let mut site = Site::new().await;
    let mut faults = Vec::new();
    for endpoint in site.endpoints.clone() {
        let owner = site.signed_in(walls::STRANGER).await;
        for (n, leaf) in endpoint.leaves.iter().enumerate() {
            for value in strange() {
                if value.is_empty() && matches!(leaf.place, Place::Path) {
                    continue;
                }
                let request = endpoint.request(|m, l| if m == n { value.clone() } else { l.naming(walls::ROW, DRAFT) });
                let answer = ask(&owner, from_here(request)).await;
                if is_fault(&answer) || (endpoint.is_api() && !has_shape(&answer)) {
                    let what = start(&value);
                    faults.push(format!(
                        "{} {}={what:?}: {} {}",
                        endpoint.name(),
                        leaf.name,
                        answer.status,
                        start(&answer.text)
                    ));
                }
            }
        }
        // Bytes that are no text in the path and in the query, and in headers that some read.
        let sane = endpoint.plausible(walls::ROW, DRAFT);
        let path = sane.uri().path().to_owned();
        for uri in [format!("{path}?%ff=%fe&after=%c3%28"), path.replace(walls::ROW, "%ff%fe").replace(DRAFT, "%c3%28")]
        {
            let mut request = from_here(endpoint.plausible(UNKNOWN, NOBODY));
            *request.uri_mut() = uri.parse::<Uri>().expect("an address");
            for name in ["idempotency-key", "last-event-id", "if-none-match", "referer", "user-agent", "x-request-id"] {
                request.headers_mut().insert(name, axum::http::HeaderValue::from_bytes(b"\xff\xfe;").expect("bytes"));
            }
            let answer = ask(&owner, request).await;
            if is_fault(&answer) || (endpoint.is_api() && !has_shape(&answer)) {
                faults.push(format!("{} {uri}: {} {}", endpoint.name(), answer.status, start(&answer.text)));
            }
        }
    }
    assert!(faults.is_empty(), "{} errors of ours:\n{}", faults.len(), faults.join("\n"));
}

/// Routes of the API that the document leaves out.
const UNDESCRIBED: &[(&str, &str)] = &[("GET /api/openapi.json", "is the document")];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_api_is_described() {
    let site = Site::new().await;
    let mut left_out = Exceptions::new("routes of the API are missing in the OpenAPI document", UNDESCRIBED);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for endpoint in &site.endpoints {
        let first = endpoint.route.split('/').nth(1).unwrap_or_default();
        *kinds.entry(if matches!(first, "api" | "fn") { first } else { "page" }).or_default() += 1;
        if endpoint.is_api() {
            left_out.judge(endpoint, endpoint.is_known, String::new);
        }
    }
    left_out.finish();
    assert!(kinds.values().all(|n| *n > 20), "the list of endpoints has lost some: {kinds:?}");
}
