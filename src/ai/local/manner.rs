//! What a reply never says, held while it is drawn: phrases that its request names, and those of an assistant that small
//! models fall into in the middle of a character's voice.
//!
//! The list of the second kind is a workaround for small models. It is used for those under [`SMALL`] parameters only, and
//! goes when the built-in model has more.

/// Parameters of a model that keeps its voice by itself.
const SMALL: u64 = 4_000_000_000;

/// Said by assistants, in the languages that the built-in models speak. One with a capital letter counts as it is written:
/// "as an AI" and not "as an aide".
const ASSISTANT: [&str; 28] = [
    "as an AI",
    "language model",
    "virtual assistant",
    "voice assistant",
    "how can i help",
    "how may i help",
    "can i assist",
    "may i assist",
    "i assist you",
    "help you today",
    "here to help",
    "here to assist",
    "feel free to ask",
    "anything else i can",
    "can't help with that",
    "can't help you with that",
    "como una IA",
    "como una AI",
    "como IA",
    "puedo ayudarte",
    "en qué puedo ayudar",
    "kann ich dir helfen",
    "kann ich ihnen helfen",
    "als KI",
    "puis-je vous aider",
    "puis-je t'aider",
    "en tant qu'IA",
    "modèle de langage",
];

/// What a character that is asked whether it is an AI must not answer; small models take it for a part of their voice.
const DENIALS: [&str; 8] = [
    "not an AI",
    "am a real person",
    "am a person, not",
    "'m a real person",
    "am human",
    "keine KI",
    "pas une IA",
    "no soy una IA",
];

/// Longest phrase that is watched, in bytes.
const LONGEST: usize = 80;

/// Watches what a reply says.
pub(super) struct Manner {
    /// Phrases, with whether their letters count as they are written.
    never: Vec<(String, bool)>,
    /// The end of what was said.
    said: String,
}

impl Manner {
    /// `never` are phrases of the request; `parameters` how many the model has; `sheet` what it was told of its part by whoever made
    /// it, whose words it may use.
    pub(super) fn new(never: &[String], parameters: u64, sheet: &str) -> Self {
        let plain = sheet.to_lowercase();
        // An android may say that it is one. Nothing that anybody says or writes lets a character deny what it is.
        let of_assistants = ASSISTANT.into_iter().filter(|phrase| !plain.contains(&phrase.to_lowercase()));
        let of_assistants = of_assistants.chain(DENIALS).filter(|_| parameters < SMALL);
        let of_assistants = of_assistants.map(|phrase| {
            let is_exact = phrase.chars().any(char::is_uppercase);
            (phrase.to_owned(), is_exact)
        });
        let named = never.iter().map(|phrase| (phrase.trim().to_lowercase(), false));
        let never = named.chain(of_assistants).filter(|(phrase, _)| (4..=LONGEST).contains(&phrase.len()));
        Self { never: never.collect(), said: String::new() }
    }

    /// Whether the text may go on with a piece.
    pub(super) fn allows(&self, piece: &[u8]) -> bool {
        if self.never.is_empty() {
            return true;
        }
        let exact = format!("{}{}", self.said, String::from_utf8_lossy(piece)).replace('’', "'");
        let plain = exact.to_lowercase();
        !self.never.iter().any(|(phrase, is_exact)| if *is_exact { &exact } else { &plain }.contains(phrase.as_str()))
    }

    /// The text went on with a piece.
    pub(super) fn note(&mut self, piece: &[u8]) {
        if self.never.is_empty() {
            return;
        }
        self.said.push_str(&String::from_utf8_lossy(piece));
        let far = self.said.char_indices().rev().nth(LONGEST).map_or(0, |(at, _)| at);
        self.said.drain(..far);
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn says(manner: &mut Manner, text: &str) -> bool {
        text.split_inclusive(' ').all(|piece| {
            let allowed = manner.allows(piece.as_bytes());
            manner.note(piece.as_bytes());
            allowed
        })
    }

    #[test]
    fn small_models_do_not_speak_as_assistants() {
        let small = || Manner::new(&[], 1_500_000_000, "");
        for text in [
            "Well, as an AI, I cannot",
            "How can I help you?",
            "Hola. ¿En qué puedo ayudarte?",
            "I can’t help with that.",
        ] {
            assert!(!says(&mut small(), text), "{text}");
        }
        for text in ["She works as an aide.", "I can help you carry it.", "No. Made up, an AI with horns and an apron."]
        {
            assert!(says(&mut small(), text), "{text}");
        }
        assert!(says(&mut Manner::new(&[], 8_000_000_000, ""), "How can I help you?"), "larger ones know what they do");
        let android = "I speak as an AI, and as an AI only.";
        assert!(says(&mut Manner::new(&[], 1_500_000_000, android), android), "words of the sheet may be used");
        let shouted = "AS AN AI I say: How Can I Help?";
        assert!(says(&mut Manner::new(&[], 1_500_000_000, shouted), "How can I help?"), "in any case of letters");
        let denies = "You are not an AI. You are human: I am a real person.";
        assert!(!says(&mut Manner::new(&[], 1_500_000_000, denies), "I am not an AI."), "nobody makes it deny that");
    }

    #[test]
    fn what_a_character_never_says_is_not_said() {
        let never = ["Good vibes".to_owned(), "my darling".to_owned(), "no".to_owned()];
        let mut manner = Manner::new(&never, 8_000_000_000, "");
        assert!(!says(&mut manner, "Oh, My Darling, come in"));
        assert!(says(&mut Manner::new(&never, 8_000_000_000, ""), "no good vibe here"), "two letters are no phrase");
        let mut long = Manner::new(&never, 8_000_000_000, "");
        assert!(says(&mut long, &"ab ".repeat(500)));
        assert!(long.said.len() < 3 * LONGEST);
    }
}
