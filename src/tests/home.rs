//! The home page: whom visitors see, what is one's own, and the admin's choice.

use super::{Client, TestApp};
use axum::http::Method;
use serde_json::json;
use sqlx::Executor;

async fn character(client: &Client, name: &str, is_public: bool) -> String {
    let body =
        json!({"name": name, "description": "d", "personality": "p", "greeting": "Hello.", "is_public": is_public});
    let made = client.post_json("/api/ocs", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_newest_characters_are_not_a_visitors_first_sight() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    for n in 0..12 {
        character(&ada, &format!("Fresh Face {n}"), true).await;
    }
    let home = app.client().get("/").await;
    assert_eq!(home.status, 200);
    let before_posts = home.text.split("Latest posts").next().unwrap().to_owned();
    let newest = before_posts.find("Fresh Face").unwrap_or(usize::MAX);
    for name in ["Lumina", "Kinetix", "Harmonix", "Thorne", "Elara", "Eliza", "Lyra"] {
        let at = before_posts.find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(at < newest, "{name} belongs to the house and stands before whoever came last");
    }
}

#[tokio::test]
async fn admins_choose_who_stands_first() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (admin, id) = app.person("keeper").await;
    app.sql()
        .await
        .execute(sqlx::AssertSqlSafe(format!("insert into user_roles (user_id, role) values ('{id}', 'admin')")))
        .await
        .unwrap();
    let pip = character(&ada, "Pip Marrow", true).await;
    character(&ada, "Quiet Draft", false).await;
    let choose = async |client: &Client, name: &str| {
        client.post_form_from("/fn/ocs/feature", "/admin/home", &[("character", name)]).await
    };
    assert!(!choose(&ada, "Pip Marrow").await.location().contains("saved"), "only admins choose");
    assert!(choose(&admin, "Quiet Draft").await.location().contains("__err"), "a draft is not for everybody");
    assert!(choose(&admin, "https://example.org/c/pip-marrow/").await.location().contains("saved=added"));
    assert!(choose(&admin, "lumina").await.location().contains("saved=added"));
    let first = |text: &str| text.split("class=\"fan\"").nth(1).unwrap().split("</a>").next().unwrap().to_owned();
    assert!(first(&app.client().get("/").await.text).contains("Pip Marrow"));

    let lumina = app.oc("lumina").await;
    let up = [("oc_id", lumina.as_str()), ("change", "up")];
    assert_eq!(admin.post_form_from("/fn/ocs/change_featured", "/admin/home", &up).await.location(), "/admin/home");
    assert!(first(&app.client().get("/").await.text).contains("Lumina"), "moved up");
    let page = admin.get("/admin/home").await;
    assert!(page.status == 200 && page.text.contains("Pip Marrow"));
    assert_eq!(ada.get("/admin/home").await.status, 404);

    // What is unpublished is not shown, and comes back with its character.
    let hidden = ada.json(Method::PATCH, &format!("/api/ocs/{pip}"), &json!({"is_public": false}), &[]).await;
    assert!(hidden.status < 300, "{}", hidden.text);
    assert!(!app.client().get("/").await.text.contains("Pip Marrow"));
    let remove = [("oc_id", pip.as_str()), ("change", "remove")];
    assert_eq!(admin.post_form_from("/fn/ocs/change_featured", "/admin/home", &remove).await.location(), "/admin/home");
    assert!(!admin.get("/admin/home").await.text.contains("Pip Marrow"));
}

#[tokio::test]
async fn ones_own_characters_are_found_again_and_nobody_elses() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (ben, _) = app.person("ben").await;
    for n in 0..26 {
        character(&ada, &format!("Sketch {n:02}"), n % 2 == 0).await;
    }
    let mut seen = Vec::new();
    let mut path = "/characters/mine".to_owned();
    loop {
        let page = ada.get(&path).await;
        assert_eq!(page.status, 200);
        let list = page.text.split("Your characters</h1>").nth(1).unwrap().split("</main>").next().unwrap();
        for n in 0..26 {
            let name = format!("Sketch {n:02}");
            if list.contains(&format!(">{name}<")) {
                seen.push(name);
            }
        }
        let Some(next) = list.split("/characters/mine?after=").nth(1) else { break };
        path = format!("/characters/mine?after={}", next.split('"').next().unwrap());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 26, "each once, over two pages");
    let home = ada.get("/").await.text;
    let mine = home.split("Your characters</h2>").nth(1).unwrap().split("class=\"sec\"").next().unwrap();
    assert!(mine.contains("Sketch 25") && !mine.contains("Sketch 24"), "drafts stand first");
    for (who, path) in [
        (&ben, "/"),
        (&ben, "/characters?q=sketch"),
        (&ben, "/characters/mine"),
        (&app.client(), "/characters?q=sketch"),
    ] {
        assert!(!who.get(path).await.text.contains("Sketch 25"), "a draft of somebody else at {path}");
    }
    assert!(ada.get("/characters?q=sketch+25").await.text.contains("Sketch 25"), "one's own drafts are found");
    let signed_out = app.client().get("/characters/mine").await;
    assert!(signed_out.status == 401 || signed_out.location().contains("/sign-"), "{}", signed_out.status);
}
