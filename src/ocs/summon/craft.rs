//! What is asked of the model, part by part.
//!
//! A small model loses the thread in a long form but writes decent single sentences when it is told how they begin. So the
//! whole character is one conversation: each part is an answer that begins with given words (the asker's own, where there
//! are some), and each sentence is asked for by itself with everything said so far before it. Which beginnings are used is
//! drawn from the seed. The sentences themselves are always the model's.

use super::{
    check::{Rule, Voice},
    draw,
    idea::{Idea, Pronoun},
    lists,
};
use std::fmt::Write as _;

/// What the model is told at the start.
pub const SYSTEM: &str = "You are a novelist. You write vivid, concrete, simple sentences.";

/// How many words of a list the model chooses among.
const OFFERED: usize = 8;

/// A sentence that the model finishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How it may begin; the first one is tried first.
    pub leads: Vec<String>,
    /// What must come.
    pub rule: Rule,
    /// Its form.
    pub form: Form,
}

/// The form of a sentence, as a grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lower-case words up to a full stop.
    Statement,
    /// The same, in which the speaker may say I.
    Own,
    /// Words up to a question mark.
    Question,
    /// A few words without an end.
    Heading,
    /// One of these.
    OneOf(Vec<String>),
}

impl Form {
    /// The grammar (GBNF) of what comes after the lead. One sentence, so that it can always be judged whole.
    pub fn grammar(&self) -> String {
        let word = r#"(" " [a-z] [a-z'-]*)"#;
        match self {
            Self::Statement | Self::Heading => format!("root ::= {word}+ \".\"\n"),
            Self::Own => format!("root ::= ({word} | \" I\" (\"'\" [a-z]+)?)+ \".\"\n"),
            Self::Question => format!("root ::= {word}+ \"?\"\n"),
            Self::OneOf(list) => choice_grammar(&[(" ", list.clone())]),
        }
    }
}

/// One word of each list, behind given words.
fn choice_grammar(parts: &[(&str, Vec<String>)]) -> String {
    let mut root = String::from("root ::=");
    let mut rules = String::new();
    for (i, (before, words)) in parts.iter().enumerate() {
        let _ = write!(root, " \"{before}\" c{i}");
        let list: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
        let _ = writeln!(rules, "c{i} ::= {}", list.join(" | "));
    }
    format!("{root} \".\"\n{rules}")
}

/// One answer of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What is asked.
    pub question: String,
    /// What the answer begins with, before the first line.
    pub start: String,
    /// The sentences of the answer. Those that nobody finishes well are left out, the first one excepted.
    pub lines: Vec<Line>,
}

fn rule(least: usize, most: usize, voice: Voice) -> Rule {
    Rule { least, most, voice }
}

fn line(leads: &[String], form: Form, rule: Rule) -> Line {
    Line { leads: leads.to_vec(), rule, form }
}

/// Everything a part depends on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The asker's sentence.
    pub idea: &'a Idea,
    /// The wished setting, or empty.
    pub setting: &'a str,
    /// The character's name.
    pub name: &'a str,
    /// What is drawn is drawn from this.
    pub seed: &'a str,
}

impl Scene<'_> {
    const fn who(&self) -> Pronoun {
        self.idea.pronoun
    }

    fn short(&self) -> &str {
        self.name.split(' ').next().unwrap_or(self.name)
    }

    /// Leads in an order drawn from the seed.
    fn leads(&self, part: &str, list: &[&str]) -> Vec<String> {
        let leads = draw::some(self.seed, part, list, list.len().min(3));
        leads.into_iter().map(|lead| format!(" {}", self.spoken_of(lead))).collect()
    }

    /// `She ~live with her cat` of this person.
    fn spoken_of(&self, text: &str) -> String {
        let p = self.who();
        let words = text.split(' ').map(|word| match word {
            "She" => p.capital().to_owned(),
            "she" => p.subject().to_owned(),
            "her" | "~her" => p.possessive().to_owned(),
            other => other.strip_prefix('~').map_or_else(|| other.to_owned(), |verb| p.verb(verb)),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// What this person may be afraid of: nothing that they live with.
    fn fears(&self) -> Vec<String> {
        let near =
            |stems: &str| stems.split(' ').any(|s| !s.is_empty() && self.idea.topic.iter().any(|t| t.starts_with(s)));
        let some: Vec<&str> = lists::FEARS.iter().filter(|(_, stems)| !near(stems)).map(|(fear, _)| *fear).collect();
        draw::some(self.seed, "fears", &some, OFFERED).into_iter().map(|fear| self.spoken_of(fear)).collect()
    }

    fn speaks_of_fear(&self) -> bool {
        self.idea.topic.iter().any(|w| matches!(w.as_str(), "afraid" | "fear" | "fears" | "scar" | "scared" | "faint"))
    }

    /// What the novelist is asked first.
    pub fn request(&self) -> String {
        let mut text = match &self.idea.phrase {
            Some(phrase) => format!("Write a short portrait of {}, {phrase}.", self.name),
            None => format!("Write a short portrait of {}. {}.", self.name, self.idea.whole),
        };
        if !self.setting.is_empty() {
            let _ = write!(text, " The setting: {}.", self.setting.trim_end_matches('.'));
        }
        text
    }

    /// Who they are.
    pub fn description(&self) -> Turn {
        let mut start = self.idea.opening(self.name);
        if self.idea.phrase.is_some() && !self.idea.rest.is_empty() {
            start.push(' ');
            start.push_str(&self.idea.rest);
            if !start.ends_with(['.', '!', '?', '…']) {
                start.push('.');
            }
        }
        let p = self.who();
        let place = if self.setting.is_empty() {
            self.leads(
                "place",
                &[
                    "She ~live in a small",
                    "She ~live in an old",
                    "She ~live in the",
                    "She ~live in a room above the",
                    "She ~live in a house near the",
                    "She ~live at the end of",
                    "She ~live on the edge of",
                ],
            )
        } else {
            let setting = self.setting.trim_end_matches('.');
            let prepositions = [
                "in ", "on ", "at ", "under ", "near ", "inside ", "beyond ", "above ", "below ", "between ", "among ",
            ];
            let at = if prepositions.iter().any(|x| setting.to_lowercase().starts_with(x)) { "" } else { "in " };
            vec![format!(" {} {} {at}{setting} and", p.capital(), p.verb("live"))]
        };
        let habit = self.leads(
            "habit",
            &[
                "Every morning she",
                "Every evening she",
                "At night she",
                "On quiet days she",
                "Every day she",
                "Before dawn she",
            ],
        );
        Turn {
            question: self.request(),
            start,
            lines: vec![
                line(&place, Form::Statement, rule(3, 14, Voice::About)),
                line(&habit, Form::Statement, rule(3, 12, Voice::About)),
            ],
        }
    }

    /// What they are like; the words of their nature come before the lines.
    pub fn personality(&self, natures: &str) -> Turn {
        let p = self.who();
        let love = self
            .leads("love", &["She ~love the sound of", "She ~love the smell of", "She ~love the way", "She ~love to"]);
        let fear = if self.speaks_of_fear() {
            let wants = self.leads("want", &["She would like to", "She ~dream of", "She ~want to"]);
            line(&wants, Form::Statement, rule(2, 10, Voice::About))
        } else {
            let lead = format!(" {} {} afraid of", p.capital(), p.verb("be"));
            line(&[lead], Form::OneOf(self.fears()), rule(1, 6, Voice::About))
        };
        let secret = self.leads(
            "secret",
            &["Nobody knows that she once", "When she ~be alone she", "Few people know that she once", "In secret she"],
        );
        Turn {
            question: format!("What is {} like?", self.short()),
            start: format!("{} is {natures}.", self.short()),
            lines: vec![
                line(&love, Form::Statement, rule(2, 11, Voice::About)),
                fear,
                line(&secret, Form::Statement, rule(3, 13, Voice::About)),
            ],
        }
    }

    /// The first thing they say.
    pub fn greeting(&self) -> Turn {
        let hello = draw::one(
            self.seed,
            "hello",
            &[
                "Come in.",
                "Good evening.",
                "Welcome.",
                "Hello there.",
                "Oh, a visitor.",
                "There you are.",
                "Good morning.",
                "Ah, company.",
            ],
        );
        let name = self.short();
        let tell = self.leads("tell", &["I was just about to", "I hope you", "I have been"]);
        let ask = self.leads("ask", &["Have you", "Do you", "Would you like", "What brings you", "Did you"]);
        Turn {
            question: format!("Now you are {name}. Greet a stranger at your door."),
            start: format!("{hello} I am {name}."),
            lines: vec![
                line(&tell, Form::Own, rule(4, 14, Voice::ToYou)),
                line(&ask, Form::Question, rule(3, 11, Voice::ToYou)),
            ],
        }
    }

    /// How they speak, one exchange a turn. The answer's start belongs to what they say.
    pub fn examples(&self) -> Vec<Turn> {
        let own = self.idea.own_words.as_deref();
        let day = match own {
            Some(own) => Turn {
                question: if is_state(own) {
                    "What should one know about you?".into()
                } else {
                    "What do you do all day?".into()
                },
                start: format!("I {own}."),
                lines: vec![line(&[" I".into(), " It".into(), " My".into()], Form::Own, rule(4, 14, Voice::Self_))],
            },
            None => Turn {
                question: "What do you do all day?".into(),
                start: String::new(),
                lines: vec![line(
                    &["I spend my days".into(), "Every day I".into()],
                    Form::Own,
                    rule(4, 14, Voice::Self_),
                )],
            },
        };
        let questions: [(&str, &[&str]); 8] = [
            ("What makes you happy?", &["I am happy when", "I love"]),
            ("What do you miss?", &["I miss my", "I miss the"]),
            ("What do you remember best?", &["I remember the", "I remember how"]),
            ("What would you never do?", &["I would never"]),
            ("What do you dream about?", &["I dream of", "Last night I dreamed that"]),
            ("Where would you go if you could?", &["I would go to the", "I would sail to the"]),
            ("What do you wish for?", &["I wish I could", "I wish for"]),
            ("What was your worst day?", &["My worst day was when", "It was the day when"]),
        ];
        let mut turns = vec![day];
        for (question, leads) in draw::some(self.seed, "questions", &questions, 2) {
            let leads: Vec<String> = leads.iter().map(|l| (*l).to_owned()).collect();
            turns.push(Turn {
                question: question.into(),
                start: String::new(),
                lines: vec![line(&leads, Form::Own, rule(2, 12, Voice::Self_))],
            });
        }
        turns
    }

    /// A thing they carry, then what it does to them. `known` are the things and effects that they have.
    pub fn item(&self, index: usize, known: &str) -> (Turn, Turn) {
        let all = [
            ("What do you carry in your pocket?", "I carry"),
            ("What do you keep on your table?", "On my table lies"),
            ("What lies beside your bed?", "Beside my bed lies"),
            ("What do you always have with you?", "I always have"),
        ];
        let drawn = draw::some(self.seed, "things", &all, all.len());
        let (question, lead) = drawn.get(index).copied().unwrap_or(("What do you carry?", "I carry"));
        let is_new = |said: &str| !known.contains(said.rsplit(' ').next().unwrap_or(said));
        let things: Vec<&str> = lists::THINGS.iter().copied().filter(|thing| is_new(thing)).collect();
        let things = draw::some(self.seed, &format!("thing-{index}"), &things, OFFERED);
        let stories = ["It belonged to", "It was a gift from", "It came from", "It smells of", "It reminds me of"];
        let thing = Turn {
            question: question.into(),
            start: String::new(),
            lines: vec![
                line(
                    &[lead.into()],
                    Form::OneOf(things.into_iter().map(str::to_owned).collect()),
                    rule(2, 5, Voice::Self_),
                ),
                line(&self.leads(&format!("stories-{index}"), &stories), Form::Statement, rule(1, 9, Voice::Self_)),
            ],
        };
        let effects: Vec<&str> = lists::EFFECTS.iter().copied().filter(|effect| is_new(effect)).collect();
        let effects = draw::some(self.seed, &format!("effects-{index}"), &effects, 24);
        let pairs = effects
            .chunks_exact(2)
            .filter(|pair| lists::go_together(pair))
            .map(|pair| pair.join(" and "))
            .take(OFFERED);
        let effect = Turn {
            question: format!("How does it change {}?", self.short()),
            start: String::new(),
            lines: vec![line(
                &[format!("It makes {}", self.who().object())],
                Form::OneOf(pairs.collect()),
                rule(2, 12, Voice::About),
            )],
        };
        (thing, effect)
    }

    /// Their first post.
    pub fn introduction(&self) -> Turn {
        let name = self.name;
        let start = draw::one(self.seed, "first", &["I am ", "My name is ", "Good day to all. I am ", "They call me "]);
        let mut start = format!("{start}{name}.");
        if let Some(own) = &self.idea.own_words {
            let _ = write!(start, " I {own}.");
        }
        let tell = self.leads("news", &["Today I", "I am looking for", "I would like to", "I hope to", "I have"]);
        let invite = self.leads("invite", &["Come and", "Tell me", "Ask me about", "Bring me"]);
        Turn {
            question: "Write your first message to the people here.".into(),
            start,
            lines: vec![
                line(&tell, Form::Own, rule(4, 15, Voice::ToYou)),
                line(&invite, Form::Own, rule(2, 11, Voice::ToYou)),
            ],
        }
    }

    /// The title of that post.
    pub fn headline(&self) -> Turn {
        let leads = draw::some(
            self.seed,
            "headline",
            &[
                "News from the",
                "A note from the",
                "Notes from the",
                "A letter from the",
                "Looking for the",
                "Hello from the",
            ],
            3,
        );
        Turn {
            question: "Give it a title.".into(),
            start: String::new(),
            lines: vec![Line {
                leads: leads.into_iter().map(str::to_owned).collect(),
                rule: rule(1, 5, Voice::Title),
                form: Form::Heading,
            }],
        }
    }
}

/// Whether what somebody says of themselves is how they are and not what they do.
fn is_state(own: &str) -> bool {
    own.split(' ').find(|w| !matches!(*w, "never" | "always" | "secretly" | "only" | "still")).is_some_and(|verb| {
        [
            "am", "was", "fear", "have", "lost", "can", "could", "cannot", "hate", "love", "faint", "forgot", "know",
            "had", "lack", "look",
        ]
        .contains(&verb)
    })
}

/// What an answer must look like: said as a grammar to a model that can be held to one, and in words to one that cannot.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// The rest of a sentence.
    Sentence(Form, Rule),
    /// The rest of a name; with `second`, a last name belongs to it, else it may.
    Name {
        /// Whether there must be a last name.
        second: bool,
    },
    /// One word of each list, behind given words.
    Choice(Vec<(&'static str, Vec<String>)>),
}

impl Wish {
    /// The wish as a grammar (GBNF).
    pub fn grammar(&self) -> String {
        match self {
            Self::Sentence(form, _) => form.grammar(),
            Self::Name { second } => {
                let second = if *second { "" } else { "?" };
                format!("root ::= [a-z]{{1,6}} (\" \" [A-Z] [a-z]{{2,8}}){second} \".\"\n")
            }
            Self::Choice(parts) => choice_grammar(parts),
        }
    }

    /// The wish in words.
    pub fn in_words(&self) -> String {
        let choice = |parts: &[(&str, Vec<String>)]| {
            let mut text = String::from("(Go on exactly like this, with one word out of each list:");
            for (before, words) in parts {
                let _ = write!(text, "{before}[{}]", words.join(" | "));
            }
            text.push_str(". Then a full stop, and nothing else.)");
            text
        };
        match self {
            Self::Sentence(Form::OneOf(list), _) => choice(&[(" ", list.clone())]),
            Self::Choice(parts) => choice(parts),
            Self::Sentence(form, rule) => {
                let (least, most) = (rule.least, rule.most);
                let shape = match form {
                    Form::Statement => "Finish the sentence".to_owned(),
                    Form::Own => "Finish the sentence in your own voice".to_owned(),
                    Form::Question => "Finish the question".to_owned(),
                    Form::Heading => "Finish the title; it is no sentence, but ends with a full stop".to_owned(),
                    Form::OneOf(_) => String::new(),
                };
                let end = if *form == Form::Question { "a question mark" } else { "a full stop" };
                format!(
                    "({shape}. Add {least} to {most} simple, concrete words that say something about this person alone, and \
                     end with {end}. One sentence, small letters but for names and I, no commas that open lists, no \
                     quotation marks, nothing behind it.)"
                )
            }
            Self::Name { second: true } => {
                "(A first name that goes on from these letters and can be spoken, and a last \
                                            name. Then a full stop, and nothing else.)"
                    .to_owned()
            }
            Self::Name { second: false } => {
                "(A first name that goes on from these letters and can be spoken. Then a full \
                                             stop, and nothing else.)"
                    .to_owned()
            }
        }
    }
}

/// ` a brass compass.` gives `Brass compass`; `None` if it is no thing of the lists.
pub fn thing_name(said: &str) -> Option<String> {
    let thing = said.trim().trim_end_matches('.');
    let (_, name) = thing.split_once(' ').filter(|_| lists::THINGS.contains(&thing))?;
    let mut chars = name.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_named_by_what_they_are() {
        for (said, name) in [
            (" a brass compass.", Some("Brass compass")),
            (" an hourglass of sand.", None),
            (" an iron key.", Some("Iron key")),
            (" bell.", None),
        ] {
            assert_eq!(thing_name(said).as_deref(), name, "{said}");
        }
    }

    #[test]
    fn wishes_can_be_said_in_words() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let choice = Wish::Choice(vec![(" ", list(&["red", "blue"])), (" and ", list(&["gold"]))]);
        assert_eq!(
            choice.grammar(),
            "root ::= \" \" c0 \" and \" c1 \".\"\nc0 ::= \"red\" | \"blue\"\nc1 ::= \"gold\"\n"
        );
        assert_eq!(
            choice.in_words(),
            "(Go on exactly like this, with one word out of each list: [red | blue] and [gold]. Then a full stop, and \
             nothing else.)"
        );
        let thing = Wish::Sentence(Form::OneOf(list(&["a brass compass", "an iron key"])), rule(2, 5, Voice::Self_));
        assert!(thing.in_words().contains("[a brass compass | an iron key]"), "{}", thing.in_words());
        assert_eq!(thing.grammar(), "root ::= \" \" c0 \".\"\nc0 ::= \"a brass compass\" | \"an iron key\"\n");
        assert!(Wish::Sentence(Form::Question, rule(3, 11, Voice::ToYou)).in_words().contains("3 to 11"));
    }

    #[test]
    fn every_part_begins_somewhere() {
        for sentence in
            ["A shy lighthouse keeper who collects storms in glass jars", "They guard the last bridge and nobody comes"]
        {
            let idea = Idea::read(sentence, "s");
            for seed in 0..30 {
                let seed = seed.to_string();
                let scene = Scene { idea: &idea, setting: "a drowned city", name: "Mira Vale", seed: &seed };
                let mut turns = vec![
                    scene.description(),
                    scene.personality("shy, kind and wise"),
                    scene.greeting(),
                    scene.introduction(),
                ];
                turns.extend(scene.examples());
                turns.extend([scene.item(0, "").0, scene.item(1, "").1, scene.item(7, "").0, scene.headline()]);
                for turn in turns {
                    assert!(!turn.lines.is_empty() && turn.lines.iter().all(|l| !l.leads.is_empty()));
                    for lead in turn.lines.iter().flat_map(|l| &l.leads) {
                        assert!(!lead.contains('~') && !lead.ends_with(' ') && !lead.contains("  "), "{lead:?}");
                    }
                }
            }
        }
    }
}
