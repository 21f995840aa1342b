//! The fields of a character, and the preview that follows them while they are typed.

use crate::{
    error::AppError,
    ocs::{
        AgeBand, ContentRating, OcForm, Pronoun,
        form::{MAX_EXAMPLE, MAX_EXAMPLES, MAX_GREETINGS, MAX_STARTS, MAX_TEXT},
        short_name,
        style::{Atmosphere, Mood},
    },
    ui::{Choice, Select, TextArea, TextInput},
};
use leptos::prelude::*;
use std::time::Duration;

/// How long the preview waits for the next key.
const PAUSE: Duration = Duration::from_millis(250);

/// [`MAX_TEXT`] and the two of [`MAX_EXAMPLE`], as fields count.
const LONG: u32 = MAX_TEXT as u32;
const EXAMPLE: (u32, u32) = (MAX_EXAMPLE.0 as u32, MAX_EXAMPLE.1 as u32);

/// What went wrong with a form, for the parts that are more than one field.
pub type Refusal = Signal<Option<AppError>>;

/// Everything one types about a character. `live` follows what the preview shows.
#[component]
pub fn OcFields(
    /// What is known already.
    form: OcForm,
    /// Follows while somebody types.
    live: RwSignal<OcForm>,
    /// What the server refused.
    refused: Refusal,
    /// It was never public, so that its introduction is still to come.
    is_draft: bool,
) -> impl IntoView {
    let hear = move |ev: leptos::ev::Event| {
        let Some(name) = event_target::<web_sys::Element>(&ev).get_attribute("name") else { return };
        follow(live, &name, event_target_value(&ev));
    };
    let words =
        |all: Vec<&'static str>| all.into_iter().map(|w| Choice::new(w, crate::ui::capital(w))).collect::<Vec<_>>();
    let moods = words(Mood::ALL.iter().map(|m| m.as_str()).collect());
    let atmospheres = words(Atmosphere::ALL.iter().map(|a| a.as_str()).collect());
    let pronouns = Pronoun::ALL.iter().map(|p| Choice::new(p.as_str(), p.label())).collect();
    let ages = AgeBand::ALL.iter().map(|a| Choice::new(a.as_str(), a.label())).collect();
    let ratings = ContentRating::ALL.iter().map(|r| Choice::new(r.as_str(), r.label())).collect();
    view! {
        <div class="oc-fields" on:input=hear>
            <fieldset>
                <legend>"Who"</legend>
                <TextInput name="form[name]" label="Name" value=form.name required=true max=60 hint="Must be unique on this site." />
                <div class="two">
                    <Select name="form[pronoun]" label="Pronoun" value=form.pronoun choices=pronouns />
                    <Select name="form[age_band]" label="Age" value=form.age_band choices=ages />
                </div>
                <TextInput name="form[nickname]" label="Nickname" value=form.nickname max=60 hint="Optional. Replaces the name where a text says {{char}}." />
                <TextInput name="form[title]" label="Title" value=form.title max=60 hint="Two or three words: lighthouse keeper, sky pirate." />
                <TextArea
                    name="form[description]"
                    label="Description"
                    value=form.description
                    rows=5
                    max=LONG
                    required=true
                    hint="For someone who meets them for the first time. Unusual details are memorable."
                />
                <TextInput name="form[tags]" label="Tags" value=form.tags max=1600 hint="Words to find them by, separated by commas." />
            </fieldset>
            <fieldset>
                <legend>"Voice"</legend>
                <TextArea
                    name="form[personality]"
                    label="Personality"
                    value=form.personality
                    rows=5
                    max=LONG
                    hint="Sent to the model with every reply. Short, concrete sentences work best."
                />
                <TextInput name="form[voice_tone]" label="Voice" value=form.voice_tone max=200 hint="For example: dry, quick, never raises it." />
                <TextArea
                    name="form[greeting]"
                    label="Greeting"
                    value=form.greeting
                    rows=3
                    max=LONG
                    hint="The first message of every chat. Put actions between asterisks: *She looks up.*"
                />
                <Greetings greetings=form.alternate_greetings refused=refused />
                <Examples form_examples=form.examples refused=refused />
            </fieldset>
            <fieldset>
                <legend>"Look"</legend>
                <div class="palette">
                    <Colour name="background" label="Background" value=form.background live=live />
                    <Colour name="primary_color" label="Primary" value=form.primary_color live=live />
                    <Colour name="accent_color" label="Accent" value=form.accent_color live=live />
                </div>
                <div class="two">
                    <Select name="form[mood]" label="Mood" value=form.mood choices=moods />
                    <Select name="form[atmosphere]" label="Atmosphere" value=form.atmosphere choices=atmospheres />
                </div>
                <TextInput
                    name="form[appearance]"
                    label="Appearance"
                    value=form.appearance
                    max=400
                    hint="Words for the generated portrait, separated by commas: antlers, braid, grey hair, glasses, scarf, rain, moon."
                />
            </fieldset>
            <fieldset>
                <legend>"Setting"</legend>
                <TextArea name="form[scenario]" label="Scenario" value=form.scenario rows=2 max=LONG />
                <Starts starts=form.quick_start refused=refused />
                <Select name="form[content_rating]" label="Content rating" value=form.content_rating choices=ratings />
                <TextArea
                    name="form[system_prompt]"
                    label="System prompt"
                    value=form.system_prompt
                    rows=3
                    max=LONG
                    hint="Optional. Only you can read it. SoulForge's own instructions are always sent after it, also where it says {{original}}."
                />
                <TextArea
                    name="form[post_history_instructions]"
                    label="Post-history instructions"
                    value=form.post_history_instructions
                    rows=2
                    max=LONG
                    hint="Optional. Sent after the newest message. Only you can read them."
                />
                <TextArea
                    name="form[creator_notes]"
                    label="Creator's notes"
                    value=form.creator_notes
                    rows=2
                    max=LONG
                    hint="Optional. Shown on the page; never sent to a model."
                />
            </fieldset>
            {is_draft
                .then(|| {
                    view! {
                        <fieldset>
                            <legend>"Introduction"</legend>
                            <p class="hint">"Their first post, on the day you publish them. If empty, the greeting is used."</p>
                            <TextInput name="form[intro_title]" label="Title of the post" value=form.intro_title max=200 />
                            <TextArea name="form[intro_content]" label="Post" value=form.intro_content rows=4 max=4000 />
                        </fieldset>
                    }
                })}
        </div>
    }
    .into_any()
}

/// Takes over what was typed, if the preview shows it.
fn follow(live: RwSignal<OcForm>, name: &str, value: String) {
    let field: fn(&mut OcForm) -> &mut String = match name {
        "form[name]" => |f| &mut f.name,
        "form[background]" => |f| &mut f.background,
        "form[primary_color]" => |f| &mut f.primary_color,
        "form[accent_color]" => |f| &mut f.accent_color,
        "form[mood]" => |f| &mut f.mood,
        "form[atmosphere]" => |f| &mut f.atmosphere,
        "form[appearance]" => |f| &mut f.appearance,
        _ => return,
    };
    live.update(|form| *field(form) = value);
}

/// What was refused about a group of fields.
#[component]
fn Refused(refused: Refusal, field: &'static str) -> impl IntoView {
    let message = move || refused.get().filter(|e| e.field() == field).map(|e| e.to_string());
    view! { <div class="field"><p class="error" aria-live="polite">{message}</p></div> }
}

/// A button that adds an empty field; only with scripts.
#[component]
fn More(count: RwSignal<usize>, most: usize, label: &'static str) -> impl IntoView {
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    move || {
        (alive.get() && count.get() < most).then(|| {
            view! { <button type="button" class="quiet" on:click=move |_| count.update(|n| *n += 1)>{label}</button> }
        })
    }
}

#[component]
fn Greetings(greetings: Vec<String>, refused: Refusal) -> impl IntoView {
    let count = RwSignal::new((greetings.len() + 1).min(MAX_GREETINGS));
    view! {
        <div class="group">
            <p class="group-label">"Alternative greetings"</p>
            <p class="hint">"Optional. A new chat can begin with any of them."</p>
            <For each=move || 0..count.get() key=|n| *n let:n>
                <TextArea
                    name=format!("form[alternate_greetings][{n}]")
                    label=format!("Alternative greeting {}", n + 1)
                    value=greetings.get(n).cloned().unwrap_or_default()
                    rows=2
                    max=LONG
                    bare=true
                />
            </For>
            <Refused refused=refused field="alternate_greetings" />
            <More count=count most=MAX_GREETINGS label="Add greeting" />
        </div>
    }
}

#[component]
fn Examples(form_examples: Vec<crate::ocs::ExampleLine>, refused: Refusal) -> impl IntoView {
    let count = RwSignal::new((form_examples.len() + 1).clamp(2, MAX_EXAMPLES));
    view! {
        <div class="group">
            <p class="group-label">"Example chat"</p>
            <p class="hint">"Two or three short exchanges teach a model more than a page of adjectives."</p>
            <For each=move || 0..count.get() key=|n| *n let:n>
                <div class="exchange">
                    <TextArea
                        name=format!("form[examples][{n}][user]")
                        label=format!("User {}", n + 1)
                        value=form_examples.get(n).map(|e| e.user.clone()).unwrap_or_default()
                        rows=1
                        max=EXAMPLE.0
                    />
                    <TextArea
                        name=format!("form[examples][{n}][oc]")
                        label=format!("Character {}", n + 1)
                        value=form_examples.get(n).map(|e| e.oc.clone()).unwrap_or_default()
                        rows=2
                        max=EXAMPLE.1
                    />
                </div>
            </For>
            <Refused refused=refused field="examples" />
            <More count=count most=MAX_EXAMPLES label="Add exchange" />
        </div>
    }
}

#[component]
fn Starts(starts: Vec<String>, refused: Refusal) -> impl IntoView {
    view! {
        <div class="group">
            <p class="group-label">"Conversation starters"</p>
            <p class="hint">"Suggested first messages."</p>
            <div class="two">
                {(0..MAX_STARTS)
                    .map(|n| {
                        view! {
                            <TextInput
                                name=format!("form[quick_start][{n}]")
                                label=format!("Starter {}", n + 1)
                                value=starts.get(n).cloned().unwrap_or_default()
                                max=120
                            />
                        }
                    })
                    .collect_view()}
            </div>
            <Refused refused=refused field="quick_start" />
        </div>
    }
}

/// A colour as text, with a picker beside it where there are scripts.
#[component]
fn Colour(
    /// Field of the form.
    name: &'static str,
    label: &'static str,
    value: String,
    live: RwSignal<OcForm>,
) -> impl IntoView {
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let now = move || {
        live.with(|f| match name {
            "background" => first_colour(&f.background),
            "primary_color" => first_colour(&f.primary_color),
            _ => first_colour(&f.accent_color),
        })
    };
    let full = format!("form[{name}]");
    let id = format!("form-{name}");
    let pick = {
        let full = full.clone();
        move |ev: leptos::ev::Event| {
            ev.stop_propagation();
            let value = event_target_value(&ev);
            set_field(&id, &value);
            follow(live, &full, value);
        }
    };
    let pick = StoredValue::new(pick);
    view! {
        <div class="colour">
            <TextInput name=full label=label value=value max=160 />
            {move || {
                alive
                    .get()
                    .then(|| {
                        view! {
                            <input
                                type="color"
                                aria-label=format!("Pick: {label}")
                                prop:value=now
                                on:input=move |ev| pick.with_value(|pick| pick(ev))
                            />
                        }
                    })
            }}
        </div>
    }
}

/// The first `#rrggbb` in a text: pickers know nothing else.
fn first_colour(text: &str) -> String {
    let start = text.find('#').unwrap_or(0);
    let colour: String = text.chars().skip(start).take(7).collect();
    let digits = colour.strip_prefix('#').is_some_and(|d| d.len() == 6 && d.chars().all(|c| c.is_ascii_hexdigit()));
    if digits { colour } else { "#888888".to_owned() }
}

/// Writes into a field of the page; in the browser only.
fn set_field(id: &str, value: &str) {
    use wasm_bindgen::JsCast;
    let field = document().get_element_by_id(id).and_then(|e| e.dyn_into::<web_sys::HtmlInputElement>().ok());
    if let Some(field) = field {
        field.set_value(value);
    }
}

/// Plate, band and swatches as the form has them now.
#[component]
pub fn Preview(
    /// What is typed.
    live: RwSignal<OcForm>,
    /// What the drawing leaves to chance depends on this: the character's id, or empty for its name.
    #[prop(into)]
    seed: String,
    /// An uploaded plate, which the palette does not change.
    #[prop(optional_no_strip)]
    uploaded: Option<String>,
) -> impl IntoView {
    let seed = StoredValue::new(seed);
    let asked = Memo::new(move |_| live.with(|f| query(f, &seed.get_value())));
    // What is shown stays a moment behind what is typed, so that not every key draws a plate.
    let shown = RwSignal::new(asked.get_untracked());
    let timer = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |before: Option<()>| {
        let next = asked.get();
        if before.is_some() {
            if let Some(timer) = timer.get_value() {
                timer.clear();
            }
            timer.set_value(set_timeout_with_handle(move || shown.set(next), PAUSE).ok());
        }
    });
    let name = move || live.with(|f| if f.name.trim().is_empty() { "No name yet".to_owned() } else { f.name.clone() });
    let plate = move || uploaded.clone().unwrap_or_else(|| format!("/portraits/preview.svg?{}", shown.get()));
    let colour = move |read: fn(&OcForm) -> &String| {
        live.with(|f| if f.background.len() > 40 { String::new() } else { read(f).clone() })
    };
    view! {
        <aside class="preview oc-preview" aria-label="Preview">
            <link rel="stylesheet" href=move || format!("/themes/preview.css?{}", shown.get()) />
            <div class="preview-band"><p>{name}</p></div>
            <span class="plate"><img src=plate alt="" width="400" height="500" /></span>
            <div class="swatches">
                <div class="sw-background">"background"<br />{move || colour(|f| &f.background)}</div>
                <div class="sw-primary">"primary"<br />{move || colour(|f| &f.primary_color)}</div>
                <div class="sw-accent">"accent"<br />{move || colour(|f| &f.accent_color)}</div>
            </div>
            <p><span class="btn small">{move || format!("Chat with {}", short_name(&name()))}</span></p>
        </aside>
    }
    .into_any()
}

fn query(form: &OcForm, seed: &str) -> String {
    let tags = if form.appearance.trim().is_empty() { &form.description } else { &form.appearance };
    [
        ("name", &form.name),
        ("seed", &seed.to_owned()),
        ("background", &form.background),
        ("primary", &form.primary_color),
        ("accent", &form.accent_color),
        ("mood", &form.mood),
        ("atmosphere", &form.atmosphere),
        ("tags", tags),
    ]
    .iter()
    .map(|(name, value)| format!("{name}={}", super::gallery::encode(&value.chars().take(400).collect::<String>())))
    .collect::<Vec<_>>()
    .join("&")
}
