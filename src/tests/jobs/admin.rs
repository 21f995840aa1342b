//! The admin's page about jobs.

use super::{fates::Fated, *};
use crate::tests::Client;

async fn act(client: &Client, what: &str, field: (&str, &str)) -> String {
    client.post_form_from(&format!("/fn/admin/{what}"), "/admin/jobs", &[field]).await.location().to_owned()
}

async fn dead_one(app: &TestApp) -> String {
    let text = "select job_id::text from dead_jobs";
    sqlx::query_scalar(text).fetch_one(&mut app.sql().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_see_and_steer_the_queue() {
    let app = site(&Kinds::default().with::<Fated>()).await;
    let (ada, ada_id) = app.person("ada").await;
    let (admin, id) = app.person("keeper").await;
    let role = format!("insert into user_roles (user_id, role) values ('{id}', 'admin')");
    app.sql().await.execute(sqlx::AssertSqlSafe(role)).await.unwrap();
    jobs::start(&app.state);
    queued(&app.state, Some(ada_id), &Fated("always".to_owned()), How::default()).await;
    until(&app, "(select count(*) from dead_jobs) = 1").await;
    let dead = dead_one(&app).await;

    // For admins, and for nobody else.
    assert_eq!(ada.get("/admin/jobs").await.status, 404);
    for (what, field) in [
        ("retry_job", ("id", dead.as_str())),
        ("cancel_job", ("id", &dead)),
        ("pause_queue", ("lane", "fates")),
        ("resume_queue", ("lane", "fates")),
    ] {
        assert!(!act(&ada, what, field).await.contains("saved="), "{what} by somebody");
    }
    let page = admin.get("/admin/jobs").await;
    assert_eq!(page.status, 200);
    for words in ["given up", "Never works.", "@ada", "attempt 3 of 3", "All errors", "1 given up", "Pause fates"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(!page.text.contains("always"), "what is in a job is nobody's to read");

    // Again from the beginning, and to the same end.
    assert!(act(&admin, "retry_job", ("id", &dead)).await.ends_with("/admin/jobs?saved=retried"));
    until(&app, "(select count(*) from dead_jobs where jsonb_array_length(history) = 6 and attempts = 3) = 1").await;
    assert!(act(&admin, "cancel_job", ("id", &dead)).await.ends_with("?saved=cancelled"));
    assert!(act(&admin, "cancel_job", ("id", &dead)).await.contains("__err"), "it is gone");

    // A paused lane keeps what it has.
    queued(&app.state, None, &Fated("never".to_owned()), How::default()).await;
    until(&app, "(select count(*) from dead_jobs) = 1").await;
    assert!(act(&admin, "pause_queue", ("lane", "fates")).await.ends_with("?saved=paused"));
    assert!(act(&admin, "pause_queue", ("lane", "nonsense")).await.contains("__err"));
    queued(&app.state, None, &Fated("plain".to_owned()), How::default()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(number(&app, "select count(*) from job_queue where not running").await, 1);
    let page = admin.get("/admin/jobs").await.text;
    assert!(page.contains("Resume fates") && page.contains("waiting") && page.contains("1 ready"), "{page}");
    assert!(act(&admin, "resume_queue", ("lane", "fates")).await.ends_with("?saved=resumed"));
    until(&app, "(select count(*) from effects where what = 'plain') = 1").await;

    // One that waits for its time is taken out; all of it is written down.
    let later = How { delay: Duration::from_secs(3600), ..How::default() };
    let waiting = queued(&app.state, None, &Fated("plain".to_owned()), later).await.unwrap().to_string();
    assert!(act(&admin, "cancel_job", ("id", &waiting)).await.ends_with("?saved=cancelled"));
    assert_eq!(number(&app, "select count(*) from job_queue").await, 0);
    let said: Vec<String> =
        sqlx::query_scalar("select action || ' ' || subject from audit_log where actor_id = $1 order by audit_id")
            .bind(id.0)
            .fetch_all(&mut app.sql().await)
            .await
            .unwrap();
    assert_eq!(
        said,
        [
            "jobs.retry test.fated",
            "jobs.cancel test.fated",
            "jobs.pause fates",
            "jobs.resume fates",
            "jobs.cancel test.fated"
        ]
    );
}

/// The same work is not done twice because somebody tries it again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_queue_again_is_not_tried_besides() {
    let app = site(&Kinds::default().with::<Fated>()).await;
    jobs::start(&app.state);
    queued(&app.state, None, &Fated("never".to_owned()), How::once("k")).await;
    until(&app, "(select count(*) from dead_jobs) = 1").await;
    let later = How { delay: Duration::from_secs(3600), ..How::once("k") };
    assert!(queued(&app.state, None, &Fated("plain".to_owned()), later).await.is_some());
    let dead = JobId(dead_one(&app).await.parse().unwrap());
    let mut tx = app.state.db.system().await.unwrap();
    assert_eq!(jobs::control::retry(&mut tx, dead).await.map_err(|error| error.status()), Err(409));
    drop(tx);
    assert_eq!(number(&app, "select count(*) from dead_jobs").await, 1, "and stays where it is");
}
