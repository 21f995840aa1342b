//! Answers of a wished form over both protocols: held to a schema where a server can be, told in words where not, and read
//! whatever the server makes of it.

use super::{Act, ScriptedProvider, Speaks};
use crate::{
    ai::SharedModel,
    ocs::{
        Pronoun,
        summon::{
            Arrived,
            ask::Asked,
            write::{Halt, Nobody, Writer},
        },
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const SHEET: &str = r#"{"name":"Mara Vey","title":"lighthouse keeper","pronoun":"she","age_band":"adult","palette":"deep sea","mood":"gentle","atmosphere":"nautical","hair":"bun","hair_colour":"grey","skin":"olive","garb":"coat","extra":"freckles","description":"Mara Vey keeps the lamp at Harrow Point. She labels each storm with the day on which it came.","personality":"Shy until the wind rises. She counts the stairs aloud and never closes a door.","voice_tone":"low, unhurried","scenario":"The lamp room at Harrow Point, shelves of jars all around.","greeting":"*She puts a jar down.* Mind the third shelf. That one is from Tuesday.","example_dialogue":[{"user":"Is it raining?","oc":"Only in the jar by your elbow."},{"user":"Are you lonely?","oc":"The gulls call at six. That is enough talk for most days."}],"items":[{"name":"The Tuesday gale","description":"A jar that hums.","personality_effects":"Makes her braver when the lamp is lit."}],"introduction":{"title":"The lamp is lit","content":"I keep storms. If you have lost one, describe it to me and I will look."}}"#;

async fn written(model: SharedModel) -> Result<Arrived, Halt> {
    let asked = Asked {
        sentence: "A shy lighthouse keeper who collects storms in glass jars".into(),
        seed: "1".into(),
        ..Asked::default()
    };
    let mut arrived = Arrived::default();
    Writer::new(model, CancellationToken::new(), asked).write(&mut arrived, &mut Nobody).await.map(|()| arrived)
}

fn is_whole(arrived: &Arrived) {
    let sheet = &arrived.sheet;
    assert_eq!((sheet.name.as_str(), sheet.pronoun, sheet.greeting.len() > 20), ("Mara Vey", Pronoun::She, true));
    assert_eq!((sheet.example_dialogue.len(), arrived.items.len(), arrived.filled.len()), (2, 1, 0));
    assert_eq!(sheet.visual_style.mood.as_str(), "gentle");
}

/// The text in pieces of a stream.
fn said(text: &str) -> Vec<Act> {
    let chars: Vec<char> = text.chars().collect();
    let mut acts: Vec<Act> = chars.chunks(31).map(|piece| Act::Text(piece.iter().collect())).collect();
    acts.push(Act::End("stop"));
    acts
}

#[tokio::test]
async fn servers_are_held_to_the_form_as_far_as_they_can_be() {
    let provider = ScriptedProvider::start().await;
    // One that knows schemas.
    provider.openai(|_, _| said(SHEET));
    is_whole(&written(provider.model(Speaks::OpenAi)).await.expect("a character"));
    let asked = provider.asked();
    assert_eq!(asked.len(), 1);
    let form = &asked[0].body["response_format"]["json_schema"];
    assert_eq!(
        (form["strict"].as_bool(), form["schema"]["properties"]["mood"]["enum"][0].as_str()),
        (Some(true), Some("calm"))
    );
    // One that knows JSON alone, and one that knows nothing: each is asked again with less, and the next time at once.
    for (knows, name) in [("json_object", "middling"), ("", "plain")] {
        let refuse = |why: &str| vec![Act::Status(400), Act::whole(&json!({ "error": { "message": why } }))];
        provider.openai(move |asked, _| match asked.body["response_format"]["type"].as_str() {
            Some(kind) if kind != knows => refuse(&format!("response_format.type {kind} is not supported")),
            _ => said(&format!("Here you are:\n```json\n{SHEET}\n```")),
        });
        let before = provider.count();
        let model = provider.model_with(Speaks::OpenAi, |endpoint| endpoint.model = name.into());
        is_whole(&written(model).await.expect("a character"));
        let tries = provider.count() - before;
        assert_eq!(tries, if knows.is_empty() { 3 } else { 2 });
        let model = provider.model_with(Speaks::OpenAi, |endpoint| endpoint.model = name.into());
        is_whole(&written(model).await.expect("a character"));
        assert_eq!(provider.count() - before, tries + 1, "what was learned is kept");
        let last = provider.asked().pop().expect("a request");
        let messages = last.body["messages"].as_array().cloned().unwrap_or_default();
        let told = messages.last().and_then(|m| m["content"].as_str()).unwrap_or_default();
        assert!(told.contains("one JSON object") && told.contains("one of: calm"), "{told}");
    }
}

#[tokio::test]
async fn a_tool_that_must_be_used_is_the_form_for_messages() {
    let provider = ScriptedProvider::start().await;
    provider.anthropic(|_, _| vec![Act::Tool("t1", "character", vec![SHEET]), Act::End("tools")]);
    is_whole(&written(provider.model(Speaks::Anthropic)).await.expect("a character"));
    let asked = provider.asked();
    assert_eq!(asked[0].body["tool_choice"], json!({ "type": "tool", "name": "character" }));
    assert_eq!(asked[0].body["tools"][0]["input_schema"]["additionalProperties"], false);
    // One that forgets its tool and talks.
    provider.anthropic(|_, _| said(&format!("Of course!\n{SHEET}")));
    is_whole(&written(provider.model(Speaks::Anthropic)).await.expect("a character"));
}

#[tokio::test]
async fn bad_answers_end_in_a_sentence_for_the_person() {
    let provider = ScriptedProvider::start().await;
    for (speaks, acts, wanted) in [
        (Speaks::OpenAi, said("I'm sorry, I can't help with that."), "no character"),
        (Speaks::OpenAi, vec![Act::End("refused")], "declined"),
        (Speaks::Anthropic, vec![Act::End("refused")], "declined"),
        (
            Speaks::OpenAi,
            vec![Act::Status(401), Act::whole(&json!({ "error": { "message": "key" } }))],
            "does not accept the key",
        ),
        (Speaks::OpenAi, said("{\"name\": [1, {\"a\": {}}], \"title\": null}"), "no character"),
    ] {
        provider.plays(acts);
        match written(provider.model(speaks)).await {
            Err(Halt::Failed(message)) => assert!(message.contains(wanted), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    // A reply that was cut at its length is completed by what is missing.
    let half = SHEET.split("\"scenario\"").next().unwrap_or_default().to_owned();
    provider.openai(move |asked, _| {
        let form = &asked.body["response_format"]["json_schema"]["schema"]["properties"];
        if form.get("name").is_some() { vec![Act::Text(half.clone()), Act::End("length")] } else { said(SHEET) }
    });
    is_whole(&written(provider.model(Speaks::OpenAi)).await.expect("a character"));
    let last = provider.asked().pop().map(|asked| asked.body).unwrap_or(Value::Null);
    let fields = last["response_format"]["json_schema"]["schema"]["required"].clone();
    assert_eq!(fields, json!(["scenario", "greeting", "example_dialogue", "items", "introduction"]));
}
