//! The provider's list on the page where a model is added.

use super::{KEY, add_provider, admin, dump, id_in, reach, save_provider};
use crate::tests::{
    Answer, Client, TestApp,
    provider::{Act, BOTH, ScriptedProvider, Speaks},
};
use serde_json::json;

/// Presses "Fetch the list" and gives the page that comes.
async fn fetch(keeper: &Client, provider: &str) -> (String, Answer) {
    let page = format!("/admin/models/model/new?provider={provider}");
    let done = keeper.post_form_from("/fn/models/fetch_list", &page, &[("id", provider)]).await;
    let location = done.location().to_owned();
    assert!(location.contains(&page), "{} {location}", done.status);
    let shown = keeper.get(location.split('#').next().unwrap()).await;
    assert_eq!(shown.status, 200);
    (location, shown)
}

fn value_of(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"form[{name}]\"")).unwrap_or_else(|| panic!("{name} in {page}"));
    let input = page[..at].rfind("<input").unwrap();
    let end = at + page[at..].find('>').unwrap();
    let value = page[input..end].split(" value=\"").nth(1).unwrap_or_default();
    value.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_chosen_from_the_list_of_its_provider() {
    let app = TestApp::new().await;
    let far = ScriptedProvider::start().await;
    let (keeper, _) = admin(&app).await;
    reach(&keeper, &far.address.to_string(), "no").await;
    far.plays(vec![Act::whole(&json!({ "data": [
        { "id": "acme/large", "name": "Acme <b>Large</b>", "context_length": 131_072,
          "pricing": { "prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000025" },
          "top_provider": { "max_completion_tokens": 16_384 }, "supported_parameters": ["tools"] },
        { "id": "acme/plain", "object": "model" },
    ] }))]);
    for speaks in BOTH {
        let (name, base) = (format!("{speaks:?}"), far.base(speaks));
        let fields = [
            ("form[kind]", if speaks == Speaks::OpenAi { "openai" } else { "anthropic" }),
            ("form[name]", name.as_str()),
            ("form[base_url]", base.as_str()),
            ("form[secret_key]", KEY),
            ("form[enabled]", "true"),
        ];
        let provider = id_in(save_provider(&keeper, &fields).await.location());
        let page = keeper.get(&format!("/admin/models/model/new?provider={provider}")).await;
        assert!(page.text.contains("Fetch the list"), "{}", page.text);

        let (location, page) = fetch(&keeper, &provider).await;
        let asked = far.asked().pop().unwrap();
        assert!(asked.line.starts_with("GET /v1/models"), "{}", asked.line);
        let header = if speaks == Speaks::OpenAi { "authorization" } else { "x-api-key" };
        assert!(asked.headers[header].to_str().unwrap().ends_with(KEY));
        for part in [
            "2 models.",
            "acme/plain",
            "131,072 tokens of context",
            "$2.5 in, $10 out per million",
            "Acme &lt;b&gt;Large",
        ] {
            assert!(page.text.contains(part), "{part} in {}", page.text);
        }
        // A part of the name finds it; choosing it fills the form, and the rest is the protocol's usual.
        let kept = location.split('#').next().unwrap();
        let found = keeper.get(&format!("{kept}&find=PLAIN")).await.text;
        assert!(found.contains("1 of 2 models.") && !found.contains("acme/large"), "{found}");
        let filled = keeper.get(&format!("{kept}&pick=0")).await.text;
        for (field, value) in [
            ("remote_name", "acme/large"),
            ("name", "Acme &lt;b&gt;Large&lt;/b&gt;"),
            ("context_tokens", "131072"),
            ("max_output_tokens", "16384"),
            ("prompt_price", "2.5"),
            ("cached_price", "0.25"),
            ("reply_price", "10"),
        ] {
            assert_eq!(value_of(&filled, field), value, "{field}");
        }
        let plain = keeper.get(&format!("{kept}&pick=1")).await.text;
        assert_eq!(value_of(&plain, "context_tokens"), if speaks == Speaks::OpenAi { "32768" } else { "200000" });
        assert_eq!((value_of(&plain, "prompt_price"), value_of(&plain, "name")), ("0".into(), String::new()));
        // Nonsense in the address chooses nothing.
        for odd in ["&pick=9", "&pick=-1", "&pick=x"] {
            assert_eq!(value_of(&keeper.get(&format!("{kept}{odd}")).await.text, "remote_name"), "");
        }

        // Once added, the list says so.
        let fields = [
            ("form[provider]", provider.as_str()),
            ("form[remote_name]", "acme/large"),
            ("form[context_tokens]", "131072"),
            ("form[max_output_tokens]", "16384"),
        ];
        let done = keeper.post_form_from("/fn/models/save_model", kept, &fields).await;
        assert!(done.location().ends_with("?saved=model"), "{}", done.location());
        assert!(keeper.get(kept).await.text.contains(">Added<"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_come_says_why_and_nothing_else() {
    let app = TestApp::new().await;
    let far = ScriptedProvider::start().await;
    let (keeper, _) = admin(&app).await;
    reach(&keeper, &far.address.to_string(), "no").await;
    let provider = add_provider(&keeper, "Far", far.base(Speaks::OpenAi).as_str(), KEY).await;
    let echo = format!("Incorrect API key provided: {KEY}");
    let mut seen = String::new();
    for (acts, words) in [
        (
            vec![Act::Status(401), Act::Fail("authentication_error", echo.clone())],
            "Far does not accept the key. Enter it again",
        ),
        (vec![Act::raw("<html>Sign in</html>")], "Far answered with a web page; its address is probably not right."),
        (vec![Act::Status(404), Act::raw(echo)], "Far has no list of models at this address"),
        (vec![Act::raw("{\"data\": [\""), Act::raw("a".repeat(5 << 20))], "Far sent more than any list of models has."),
        (vec![Act::whole(&json!({ "data": [] }))], "The list is empty: this server has no models yet."),
    ] {
        far.plays(acts);
        let (_, page) = fetch(&keeper, &provider).await;
        assert!(page.text.contains(words), "{words} in {}", page.text);
        assert!(page.text.contains("name=\"form[remote_name]\""), "the form is still there");
        seen.push_str(&page.text);
    }
    // A provider whose host is not listed any more.
    reach(&keeper, "", "no").await;
    let (_, page) = fetch(&keeper, &provider).await;
    assert!(page.text.contains("must begin with https://"), "{}", page.text);
    // Without a key, it is one that is missing.
    reach(&keeper, &far.address.to_string(), "no").await;
    let open = add_provider(&keeper, "Open", far.base(Speaks::OpenAi).as_str(), "").await;
    far.plays(vec![Act::Status(401), Act::Fail("authentication_error", "no".into())]);
    let (_, page) = fetch(&keeper, &open).await;
    assert!(page.text.contains("Open wants a key."), "{}", page.text);
    seen.push_str(&dump(&app).await);
    assert!(!seen.contains("canary"), "the key is nowhere");
    // This machine has no list, and neither has nobody.
    for id in [crate::models::store::LOCAL_PROVIDER.to_string(), uuid::Uuid::nil().to_string()] {
        let done = keeper.post_form_from("/fn/models/fetch_list", "/admin/models", &[("id", &id)]).await;
        assert!(done.location().contains("__err="), "{}", done.location());
    }
}
