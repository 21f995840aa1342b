//! What lists read, on a hundred thousand rows of everything: the very functions of the stores, as the role and the person that
//! they are called for. A page may look into fifty blocks for each of its rows, tables and indexes together, whichever of the
//! two ways the server plans its statements.

use super::database::Database;
use crate::{
    accounts,
    chat::{self, At, history},
    error::AppResult,
    ids::{ConversationId, MessageId, OcId, UserId},
    ocs::{GalleryQuery, store},
    server::{Db, Identity, Tx, db::Connections, quota},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use uuid::Uuid;

/// Blocks that a row of a page may cost.
const PER_ROW: i64 = 50;

/// One of the rows of `plans.sql`.
fn id(kind: u32, n: u32) -> Uuid {
    format!("{kind:08x}-0000-7000-8000-{n:012x}").parse().expect("a uuid")
}

fn person(n: u32) -> UserId {
    UserId(id(1, n))
}

/// One of the people, asking.
fn me(n: u32) -> Option<Identity> {
    Some(Identity::User(person(n)))
}

/// Counts the blocks that are looked into, and collects what was too much.
struct Meter {
    db: Db,
    found: Vec<String>,
    checks: u32,
}

impl Meter {
    /// Runs `work` as `who` (`None`: the process itself) and allows it the blocks of so many rows.
    async fn check<T>(
        &mut self,
        name: &str,
        who: Option<Identity>,
        rows: i64,
        work: impl AsyncFn(&mut Tx) -> AppResult<T>,
    ) -> T {
        let mut last = None;
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let mut tx = match who {
                Some(who) => self.db.begin(who).await.expect("a transaction"),
                None => self.db.system().await.expect("a transaction"),
            };
            tx.execute(AssertSqlSafe(format!("set local plan_cache_mode = {mode}"))).await.expect("the mode");
            let before = blocks(&mut tx).await;
            let done = work(&mut tx).await;
            let cost = blocks(&mut tx).await - before;
            self.checks += 1;
            match done {
                Ok(done) => last = Some(done),
                Err(error) => panic!("{name}: {error}"),
            }
            if cost > rows * PER_ROW {
                self.found.push(format!("{name}, {mode}: {cost} blocks for {rows} rows"));
            }
            assert!(cost > 0, "{name}: nothing was counted");
        }
        last.expect("it ran")
    }
}

/// Blocks of our own tables and indexes that this connection has looked into.
async fn blocks(tx: &mut Tx) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint from pg_class
         where relkind in ('r', 'i', 't') and relnamespace in ('public'::regnamespace, 'pg_toast'::regnamespace)",
    )
    .fetch_one(&mut **tx)
    .await
    .expect("the counters")
}

/// The mark of a page that ends with this character.
fn mark(oc: Uuid, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{oc} {key}"))
}

async fn galleries(meter: &mut Meter, sql: &mut PgConnection) {
    let query = "select name_key, interaction_count, (extract(epoch from shown_at) * 1000000)::bigint from ocs where oc_id = $1";
    let middle = id(2, 50_001);
    let row = sqlx::query(query).bind(middle).fetch_one(sql).await.expect("a character");
    let (name, count, at): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let all = GalleryQuery::default;
    let after = |sort: &str, key: &str| GalleryQuery { sort: sort.into(), after: mark(middle, key), ..all() };
    let cases = [
        ("newest", 24, all()),
        ("newest, from the middle", 24, after("newest", &at.to_string())),
        ("most talked with, from the middle", 24, after("popular", &count.to_string())),
        ("by name, from the middle", 24, after("name", &name)),
        ("a rare kind", 3, GalleryQuery { kind: "luminor".into(), ..all() }),
        ("a rare kind by name", 3, GalleryQuery { kind: "luminor".into(), sort: "name".into(), ..all() }),
        ("a rare mood", 4, GalleryQuery { mood: "eerie".into(), sort: "popular".into(), ..all() }),
        ("of one person", 24, GalleryQuery { owner: "PERSON1".into(), ..all() }),
        ("a word that few have", 4, GalleryQuery { q: "zanzibar".into(), ..all() }),
        ("a word that all have", 24, GalleryQuery { q: "words".into(), ..all() }),
        ("a word that nobody has", 0, GalleryQuery { q: "qqqq".into(), ..all() }),
    ];
    for (name, rows, query) in cases {
        // Looking for words costs as much as some rows do, however few are found.
        let allowed = rows + if query.q.is_empty() { 0 } else { 7 };
        let page = meter
            .check(&format!("gallery: {name}"), me(1), allowed, async |tx| {
                store::gallery(tx, Some((person(1), "person1")), &query, store::PAGE).await
            })
            .await;
        // Characters of the house are among them.
        assert!(page.cards.len() as i64 >= rows, "gallery: {name}");
    }
}

async fn characters(meter: &mut Meter) {
    let me = me(1);
    meter.check("a character's page", me, 8, async |tx| store::page(tx, "name-777", "").await).await;
    meter.check("a character by its address", me, 1, async |tx| store::find_id(tx, "name-778").await).await;
    meter.check("a character's edit page", me, 8, async |tx| store::editable(tx, "name-101").await).await;
    meter.check("versions", me, 1, async |tx| store::versions(tx, OcId(id(2, 101))).await).await;
    meter.check("home", me, 25, async |tx| store::home(tx, Some((person(1), "person1"))).await).await;
    meter.check("a visitor's home", Some(Identity::Anonymous), 20, async |tx| store::home(tx, None).await).await;
    let mine = meter.check("own characters", me, 24, async |tx| store::mine(tx, person(1), "").await).await;
    assert_eq!(mine.cards.len(), 24);
    let middle = mark(id(2, 50_001), "public");
    let mine = meter
        .check("own characters, from the middle", me, 24, async |tx| store::mine(tx, person(1), &middle).await)
        .await;
    assert_eq!(mine.cards.len(), 24);
    let admin = Some(Identity::User(person(2)));
    let chosen = meter.check("chosen characters", admin, 12, async |tx| store::featured(tx).await).await;
    assert_eq!(chosen.len(), 12);
}

async fn talks(meter: &mut Meter) {
    let (me, my) = (me(1), person(1));
    for (name, archived, after, rows) in [
        ("conversations", false, String::new(), 24),
        ("conversations, from the middle", false, cursor(500), 24),
        ("put away conversations", true, String::new(), 24),
    ] {
        let (cards, _) =
            meter.check(name, me, rows, async |tx| chat::store::conversations(tx, my, archived, &after).await).await;
        assert_eq!(cards.len() as i64, rows, "{name}");
    }
    let talk = ConversationId(id(5, 1));
    for (name, at) in [("lines", At::Newest), ("lines before one", At::Before(MessageId(id(6, 25_000))))] {
        meter.check(name, me, 60, async |tx| chat::store::window(tx, talk, at).await.map(drop)).await;
    }
    let oc = OcId(id(2, 1));
    meter.check("who one talks with", me, 8, async |tx| chat::store::partner(tx, oc).await.map(drop)).await;
    let until = Some(MessageId(id(6, 50_000)));
    // Two hundred lines, ten memories, five events.
    let scene = meter
        .check("what a prompt is made of", me, 215, async |tx| {
            let persona = store::persona(tx, oc).await?;
            chat::store::scene(tx, my, persona, until).await
        })
        .await;
    assert_eq!((scene.memories.len(), scene.history.len()), (10, 200));
    let partners = meter
        .check("partners of an import", me, 100, async |tx| history::store::partners(tx, my, "name-5").await)
        .await;
    assert_eq!(partners.len(), 100);
}

/// The mark of a page of conversations that ends with one from so many minutes ago, about.
fn cursor(minutes: i64) -> String {
    let at = chrono::Utc::now() - chrono::Duration::minutes(minutes);
    format!("{}_{}", at.timestamp_micros(), Uuid::nil().simple())
}

async fn people(meter: &mut Meter) {
    use accounts::store;
    meter.check("a person's page", me(2), 13, async |tx| store::person_called(tx, "Person777", None).await).await;
    for login in ["PERSON777", "person778@EXAMPLE.org"] {
        let found = meter.check("sign-in", None, 1, async |tx| store::account_called(tx, login).await).await;
        assert!(found.is_some(), "{login}");
    }
    let (listed, more) = meter.check("people", None, 50, async |tx| store::people_listed(tx, "").await).await;
    assert!(listed.len() == 50 && more);
    // What is kept of somebody: two files, one talk with one line.
    meter.check("stored files", me(60_000), 8, async |tx| quota::all(tx, person(60_000)).await).await;
}

#[tokio::test]
async fn pages_read_little_more_than_they_show() {
    let database = Database::new().await;
    let owner = database.owner();
    let mut sql = PgConnection::connect_with(&owner).await.expect("the database");
    sql.execute(include_str!("plans.sql")).await.expect("a hundred thousand rows");
    let connections = Connections { app: owner.clone(), worker: owner.clone(), direct: owner, forget: false };
    let mut meter = Meter { db: Db::new(connections, 2), found: Vec::new(), checks: 0 };
    galleries(&mut meter, &mut sql).await;
    characters(&mut meter).await;
    talks(&mut meter).await;
    people(&mut meter).await;
    assert!(meter.checks > 60, "only {} checks", meter.checks);
    assert!(meter.found.is_empty(), "{:#?}", meter.found);
    meter.db.close().await;
}
