//! One attempt at a summon: from the sentence to the finished draft.

use super::{
    Finished, Introduction, Part, SummonedItem,
    check::Seen,
    craft::{self, Scene, Turn},
    draw::{self, Look},
    idea::{Idea, Pronoun},
    lists,
    names::{heard_as, judge_name},
    store::{self, Claim},
    vocabulary,
    write::{Halt, OnQueue, Writer},
};
use crate::{
    ai::{SharedModel, chain},
    error::AppError,
    models::meter::{self, Ending, Purpose},
    ocs::{
        ExampleLine, OcForm, page_url,
        portrait::Traits,
        portrait_url,
        style::{Atmosphere, Mood, VisualStyle},
    },
    server::{AppState, events::Topic},
};
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn wrong(error: AppError) -> Halt {
    Halt::Failed(error.to_string())
}

/// One attempt.
pub(super) struct Attempt {
    app: AppState,
    claim: Claim,
    topic: Arc<Topic>,
    cancel: CancellationToken,
    idea: Idea,
    seed: String,
}

impl Attempt {
    /// Takes up the work where the claim's progress stands.
    pub(super) fn new(app: AppState, claim: Claim, topic: Arc<Topic>, cancel: CancellationToken) -> Self {
        let seed = claim.id.to_string();
        let mut idea = Idea::read(&claim.sentence, &seed);
        idea.pronoun = claim.progress.pronoun.unwrap_or(idea.pronoun);
        Self { app, claim, topic, cancel, idea, seed }
    }

    /// Finds who writes, has it written, and writes down what it took.
    pub(super) async fn run(self) -> Result<Finished, Halt> {
        let app = self.app.clone();
        let order = app.models.for_summon().await.map_err(wrong)?;
        let Some(first) = order.first() else { return Err(wrong(AppError::Internal)) };
        let (user, job) = (self.claim.user, Some(self.claim.id.0));
        let ticket =
            meter::begin(&app, user, Purpose::Summon, job, first, meter::SUMMON_TOKENS, 0).await.map_err(wrong)?;
        let (model, tally) = meter::counting(chain(order.iter().map(|c| c.model.clone()).collect()));
        let result = self.work(model).await;
        let ending = match &result {
            Ok(_) => Ending::Done,
            Err(Halt::Stopped) => Ending::Stopped,
            Err(Halt::Shutdown) => Ending::Interrupted,
            Err(Halt::Failed(_)) => Ending::Failed,
        };
        ticket.settle_tally(&app, ending, &tally).await;
        result
    }

    async fn work(mut self, model: SharedModel) -> Result<Finished, Halt> {
        for part in self.claim.progress.sheet.parts() {
            self.show(&part);
        }
        let on_queue: OnQueue = {
            let topic = Arc::clone(&self.topic);
            Arc::new(move |place| topic.push("queued", json!({"place": place}).to_string()))
        };
        let writer_seed = format!("{}-{}", self.seed, self.claim.attempt);
        let seen = Seen::new(self.idea.pronoun, "", &self.claim.sentence, &self.idea.topic);
        let mut writer = Writer::new(model, self.cancel.clone(), on_queue, writer_seed, craft::SYSTEM, seen);
        self.name_and_look(&mut writer).await?;
        let name = self.claim.progress.sheet.name.clone();
        writer.seen = Seen::new(self.idea.pronoun, &name, &self.claim.sentence, &self.idea.topic)
            .with_calling(self.idea.title.as_deref().unwrap_or_default());
        for (question, answer) in self.claim.progress.turns.clone() {
            writer.recall(&question, &answer);
        }
        self.words(&mut writer).await?;
        self.finish().await
    }

    fn step(&self, text: &str) {
        self.topic.push("step", json!({"text": text}).to_string());
    }

    fn next_step(&self) {
        self.step(self.claim.progress.sheet.next_step());
    }

    fn show(&self, part: &Part) {
        match serde_json::to_string(part) {
            Ok(data) => self.topic.push("field", data),
            Err(error) => tracing::error!(%error, "a part could not be written as JSON"),
        }
    }

    /// Keeps a part and shows it.
    async fn take(&mut self, part: Part) -> Result<(), Halt> {
        self.claim.progress.sheet.take(part.clone());
        if !store::keep(&self.app, &self.claim).await.map_err(wrong)? {
            return Err(Halt::Stopped);
        }
        self.show(&part);
        self.app.summons.tell(self.claim.id);
        Ok(())
    }

    /// The name, the look, and the draft that carries both.
    async fn name_and_look(&mut self, writer: &mut Writer) -> Result<(), Halt> {
        if self.claim.oc.is_some() && !self.claim.progress.sheet.name.is_empty() {
            return Ok(());
        }
        self.next_step();
        let name = match self.idea.name.clone() {
            Some(name) => name,
            None => self.find_name(writer).await?,
        };
        self.settle_pronoun(&name);
        self.step("Mixing the colours");
        let style = self.find_style(writer, &name).await?;
        let traits = Traits::from_words(&self.claim.sentence);
        let appearance = appearance_tags(&traits);
        let title = self.idea.title.clone().unwrap_or_default();
        let mut form = OcForm {
            name,
            title: title.clone(),
            description: self.claim.sentence.clone(),
            personality: self.claim.sentence.clone(),
            appearance: appearance.join(", "),
            version: 1,
            ..OcForm::default()
        };
        form.set_style(&style);
        let (made, name) = store::reserve(&self.app, self.claim.user, &form).await.map_err(wrong)?;
        self.claim.oc = Some(made.id);
        let draft = json!({"oc_id": made.id, "slug": made.slug, "portrait_url": portrait_url(made.id, made.version)});
        self.take(Part::Name(name)).await?;
        self.topic.push("draft", draft.to_string());
        if !title.is_empty() {
            self.take(Part::Title(title)).await?;
        }
        self.take(Part::VisualStyle(style)).await?;
        if !appearance.is_empty() {
            self.take(Part::AppearanceTags(appearance)).await?;
        }
        Ok(())
    }

    /// A name that can be said and that nobody has. The model writes it; only how it begins is drawn.
    async fn find_name(&self, writer: &mut Writer) -> Result<String, Halt> {
        let who = self.idea.phrase.clone().unwrap_or_else(|| self.idea.whole.clone());
        let possessive = match self.idea.pronoun {
            Pronoun::She => "Her",
            Pronoun::He => "His",
            Pronoun::They => "Their",
        };
        let question = format!("Choose a name for this person: {who}.");
        for round in 0..4 {
            let starts = draw::some(
                &format!("{}-{}", self.seed, self.claim.attempt),
                &format!("names-{round}"),
                lists::NAME_STARTS,
                6,
            );
            let asked = starts
                .iter()
                .enumerate()
                .map(|(i, start)| (format!("{possessive} name is {start}"), craft::Wish::Name { second: i % 2 == 0 }))
                .collect();
            let said = writer.aside(&question, asked, 10, 0.9).await?;
            let mut names: Vec<(f64, String)> = Vec::new();
            for (start, rest) in starts.iter().zip(said) {
                let rest = rest.trim().trim_end_matches('.');
                let whole = if rest.starts_with(*start) { rest.to_owned() } else { format!("{start}{rest}") };
                let first = whole.split(' ').next().unwrap_or_default().to_owned();
                for name in [whole.clone(), first] {
                    if let Some(points) = judge_name(&name, self.idea.pronoun, &self.idea.topic) {
                        names.push((points, name));
                    }
                }
            }
            names.sort_by(|a, b| b.0.total_cmp(&a.0));
            for (_, name) in names {
                if store::is_free(&self.app, self.claim.user, &name).await.map_err(wrong)? {
                    return Ok(name);
                }
            }
        }
        Err(Halt::Failed(
            "The model found no name. Please try again, or give the name yourself: “Mira, a shy lighthouse keeper …”."
                .into(),
        ))
    }

    /// Where the sentence leaves open how to speak of them, the name decides.
    fn settle_pronoun(&mut self, name: &str) {
        let first = name.split(' ').next().unwrap_or(name);
        if !self.idea.pronoun_is_given
            && let Some(heard) = heard_as(first)
        {
            self.idea.pronoun = heard;
        }
        self.claim.progress.pronoun = Some(self.idea.pronoun);
    }

    /// Colours and mood: by the asker's words, then by the model's choice among a few, then by lot.
    async fn find_style(&self, writer: &mut Writer, name: &str) -> Result<VisualStyle, Halt> {
        let wishes = &self.claim.wishes;
        let mut look = Look::of(&format!("{} {}", self.claim.sentence, wishes.setting));
        if let Ok(mood) = wishes.mood.parse::<Mood>() {
            look.mood = Some(mood);
        }
        if look.hues.len() < 2 || look.mood.is_none() || look.atmosphere.is_none() {
            let hues: Vec<&str> = draw::HUES.iter().map(|h| h.word).collect();
            let moods: Vec<&str> = Mood::ALL.iter().map(|m| m.as_str()).collect();
            let airs: Vec<&str> = Atmosphere::ALL.iter().map(|a| a.as_str()).collect();
            let some = |part: &str, list: &[&str], count| {
                draw::some(&self.seed, part, list, count).into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            let wish = craft::Wish::Choice(vec![
                (" ", some("hues", &hues, 6)),
                (" and ", some("hues-2", &hues, 6)),
                (", the mood is ", some("moods", &moods, 8)),
                (" and the place is ", some("airs", &airs, 7)),
            ]);
            let question =
                format!("Which colours belong to {name}, {}?", self.idea.phrase.as_deref().unwrap_or(&self.idea.whole));
            let said = writer.aside(&question, vec![("The colours are".to_owned(), wish)], 40, 0.9).await?;
            look.fill(said.first().map(String::as_str).unwrap_or_default());
        }
        Ok(look.style(&self.seed))
    }

    /// Everything that is written.
    async fn words(&mut self, writer: &mut Writer) -> Result<(), Halt> {
        let idea = self.idea.clone();
        let seed = self.seed.clone();
        let setting = self.claim.wishes.setting.clone();
        let name = self.claim.progress.sheet.name.clone();
        let scene = Scene { idea: &idea, setting: &setting, name: &name, seed: &seed };

        if self.claim.progress.sheet.description.is_empty() {
            self.next_step();
            let text = self.required(writer, &scene.description(), "a description").await?;
            self.take(Part::Description(text)).await?;
        }
        if self.claim.progress.sheet.personality.is_empty() {
            self.next_step();
            let natures = self.natures(writer, &scene).await?;
            let text = self.required(writer, &scene.personality(&natures), "a personality").await?;
            self.take(Part::Personality(text)).await?;
        }
        if self.claim.progress.sheet.greeting.is_empty() {
            self.next_step();
            let text = self.required(writer, &scene.greeting(), "a greeting").await?;
            self.take(Part::Greeting(text)).await?;
        }
        self.examples(writer, &scene).await?;
        self.items(writer, &scene).await?;
        if self.claim.progress.sheet.introduction.is_none() {
            self.next_step();
            let content = self.required(writer, &scene.introduction(), "a first post").await?;
            let title = self.optional(writer, &scene.headline()).await?;
            let title = title.map(|t| t.trim_end_matches('.').to_owned()).unwrap_or_else(|| format!("{name} is here"));
            self.take(Part::Introduction(Introduction { title, content })).await?;
        }
        Ok(())
    }

    /// A turn that must succeed. Its question and answer are kept, so that the work can be taken up again.
    async fn required(&mut self, writer: &mut Writer, turn: &Turn, what: &str) -> Result<String, Halt> {
        match self.optional(writer, turn).await? {
            Some(text) => Ok(text),
            None => Err(Halt::Failed(format!(
                "The model wrote nothing whole for {what}. What is there is kept: try again, or choose another model."
            ))),
        }
    }

    async fn optional(&mut self, writer: &mut Writer, turn: &Turn) -> Result<Option<String>, Halt> {
        let text = writer.turn(turn).await?;
        if let Some(text) = &text {
            self.claim.progress.turns.push((turn.question.clone(), text.clone()));
        }
        Ok(text)
    }

    /// Three words of their nature: the asker's, then the model's choice among some that fit.
    async fn natures(&self, writer: &mut Writer, scene: &Scene<'_>) -> Result<String, Halt> {
        let said = vocabulary::words(&self.claim.sentence);
        let mut natures: Vec<&str> = lists::NATURES.iter().copied().filter(|n| said.iter().any(|w| w == n)).collect();
        natures.truncate(2);
        for i in 0..8 {
            if natures.len() >= 3 {
                break;
            }
            let mut offer = draw::some(&self.seed, &format!("natures-{i}"), lists::NATURES, 14);
            offer.retain(|n| lists::fit_together(&[natures.as_slice(), &[*n]].concat()));
            let start = match natures.as_slice() {
                [] => format!("{} is", scene.name),
                [a] => format!("{} is {a},", scene.name),
                [a, b, ..] => format!("{} is {a}, {b} and", scene.name),
            };
            let wish = craft::Wish::Choice(vec![(" ", offer.iter().map(|n| (*n).to_owned()).collect())]);
            let question = format!("What is {} like?", scene.name);
            let answers = writer.aside(&question, vec![(start, wish)], 8, 1.0).await?;
            let words = answers.first().map(|a| vocabulary::words(a)).unwrap_or_default();
            if let Some(nature) = offer.into_iter().find(|n| words.iter().any(|w| w == n)) {
                natures.push(nature);
            }
        }
        Ok(match natures.as_slice() {
            [] => return Err(Halt::Failed("The model would not say what they are like. Please try again.".into())),
            [a] => (*a).to_owned(),
            [a, b] => format!("{a} and {b}"),
            [a, b, c, ..] => format!("{a}, {b} and {c}"),
        })
    }

    async fn examples(&mut self, writer: &mut Writer, scene: &Scene<'_>) -> Result<(), Halt> {
        let turns = scene.examples();
        for turn in &turns {
            let asked = self.claim.progress.turns.iter().any(|(question, _)| *question == turn.question);
            if asked {
                continue;
            }
            self.next_step();
            if let Some(text) = self.optional(writer, turn).await? {
                let mut lines = self.claim.progress.sheet.example_dialogue.clone();
                lines.push(ExampleLine { user: turn.question.clone(), oc: text });
                self.take(Part::ExampleDialogue(lines)).await?;
            }
        }
        if self.claim.progress.sheet.example_dialogue.is_empty() {
            return Err(Halt::Failed(
                "The model answered none of the questions in whole words. Please try again.".into(),
            ));
        }
        Ok(())
    }

    async fn items(&mut self, writer: &mut Writer, scene: &Scene<'_>) -> Result<(), Halt> {
        let wanted = draw::item_count(&self.seed);
        let mut tries = 0;
        while self.claim.progress.sheet.items.len() < wanted && tries < wanted + 2 {
            self.next_step();
            let index = tries;
            tries += 1;
            let items = &self.claim.progress.sheet.items;
            let known: Vec<_> = items.iter().flat_map(|i| [i.name.as_str(), i.personality_effects.as_str()]).collect();
            let (thing, effect) = scene.item(index, &known.join(" ").to_lowercase());
            if self.claim.progress.turns.iter().any(|(question, _)| *question == thing.question) {
                continue;
            }
            let Some(text) = writer.turn(&thing).await? else { continue };
            let (first, story) = text.split_once(". ").unwrap_or((&text, ""));
            let mut leads = thing.lines.iter().flat_map(|line| &line.leads);
            let Some(said) = leads.find_map(|lead| first.strip_prefix(lead.trim())) else { continue };
            let Some(name) = craft::thing_name(said) else { continue };
            let Some(changes) = writer.turn(&effect).await? else { continue };
            let description = describe(said, story, self.idea.pronoun);
            let personality_effects = changes.strip_prefix("It ").map_or_else(|| changes.clone(), upper_first);
            let progress = &mut self.claim.progress;
            progress.turns.push((thing.question.clone(), text.clone()));
            progress.turns.push((effect.question.clone(), changes));
            let mut items = progress.sheet.items.clone();
            let rarity = draw::rarity(&self.seed, items.len());
            items.push(SummonedItem { name, description, personality_effects, rarity });
            self.take(Part::Items(items)).await?;
        }
        if self.claim.progress.sheet.items.is_empty() {
            return Err(Halt::Failed("The model found nothing whole for them to carry. Please try again.".into()));
        }
        Ok(())
    }

    /// The finished draft, and its first post if it was asked for.
    async fn finish(self) -> Result<Finished, Halt> {
        let Some(oc) = self.claim.oc else { return Err(Halt::Failed(AppError::Internal.to_string())) };
        let sheet = &self.claim.progress.sheet;
        let quick_start: Vec<String> = sheet.example_dialogue.iter().map(|line| line.user.clone()).take(3).collect();
        let tags: Vec<String> = sheet
            .visual_style
            .iter()
            .flat_map(|style| [style.mood.as_str().to_owned(), style.atmosphere.as_str().to_owned()])
            .collect();
        let gone = |error: AppError| match error {
            AppError::NotFound => Halt::Failed("The draft was deleted meanwhile.".into()),
            other => wrong(other),
        };
        let mut tx = self.app.db.begin(self.claim.user).await.map_err(wrong)?;
        store::complete(&mut tx, self.claim.user, oc, sheet, &quick_start, &tags).await.map_err(gone)?;
        if self.claim.wishes.publish {
            crate::ocs::store::publish(&mut tx, self.claim.user, oc).await.map_err(gone)?;
        }
        let made = crate::ocs::store::find(&mut tx, oc).await.map_err(gone)?;
        tx.commit().await.map_err(wrong)?;
        Ok(Finished { oc_id: oc, url: page_url(&made.slug), slug: made.slug })
    }
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// A thing and its story, said of its carrier instead of by them.
fn describe(thing: &str, story: &str, pronoun: Pronoun) -> String {
    let possessive = pronoun.possessive();
    let mut out = format!("{}.", upper_first(thing.trim().trim_end_matches('.')));
    for word in story.split_whitespace() {
        let (bare, end) = word.strip_suffix('.').map_or((word, ""), |b| (b, "."));
        let turned = match bare {
            "my" => possessive,
            "me" => pronoun.object(),
            "mine" if pronoun == Pronoun::She => "hers",
            "mine" if pronoun == Pronoun::He => "his",
            "mine" => "theirs",
            "myself" if pronoun == Pronoun::She => "herself",
            "myself" if pronoun == Pronoun::He => "himself",
            "myself" => "themselves",
            other => other,
        };
        out.push_str(&format!(" {turned}{end}"));
    }
    out
}

/// The closed words of a portrait that the asker's sentence names.
fn appearance_tags(traits: &Traits) -> Vec<String> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(traits) else { return Vec::new() };
    let mut tags = Vec::new();
    for (name, value) in fields {
        // A colour alone would be read as another colour's.
        if matches!(name.as_str(), "hair_colour" | "eye_colour" | "earring") {
            continue;
        }
        match value {
            serde_json::Value::String(word) => tags.push(word),
            serde_json::Value::Array(words) => tags.extend(words.iter().filter_map(|w| w.as_str().map(str::to_owned))),
            _ => {}
        }
    }
    tags.truncate(12);
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_described_by_somebody_else() {
        assert_eq!(
            describe(" an iron key", "It reminds me of my mother.", Pronoun::He),
            "An iron key. It reminds him of his mother."
        );
        assert_eq!(describe(" a wax seal.", "", Pronoun::She), "A wax seal.");
        assert_eq!(describe(" a wax seal", "It was mine.", Pronoun::They), "A wax seal. It was theirs.");
    }
}
