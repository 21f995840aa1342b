//! Words, and what kind of word each is.

/// Words without meaning of their own.
pub const STOP_WORDS: &[&str] = &[
    "a", "an", "the", "of", "in", "on", "at", "to", "for", "with", "and", "or", "but", "who", "that", "which", "is",
    "are", "was", "has", "have", "had", "she", "he", "they", "it", "her", "his", "their", "him", "them", "from", "by",
    "as", "be", "not", "no", "never", "very", "can", "could", "will", "would", "than", "then", "when", "where",
    "there", "this", "these", "those", "into", "about", "over", "under", "all", "one", "only", "just", "once", "still",
    "do", "does", "did", "so", "if", "its", "own", "you", "your", "i", "my", "me", "we", "us", "our", "what", "how",
    "why", "up", "out", "any", "some", "been", "being", "am", "too", "also", "now", "ever", "i'm",
];

/// Words that speak of the task and not of the character, or that models use instead of saying something.
pub(super) const EMPTY_WORDS: &[&str] = &[
    "lightening",
    "underage",
    "minor",
    "named",
    "called",
    "character",
    "characters",
    "user",
    "ai",
    "assistant",
    "language",
    "model",
    "testament",
    "tapestry",
    "embodiment",
    "individual",
    "protagonist",
    "player",
    "reader",
    "author",
    "fictional",
    "personality",
    "narrative",
    "description",
    "novelist",
    "portrait",
    "prompt",
    "sentence",
    "sentences",
    "story",
    "plot",
    "chatbot",
    "instagram",
    "facebook",
    "website",
    "email",
    "covid",
    "pandemic",
    "climate",
    "skill",
    "skills",
    "passion",
    "sex",
    "sexual",
    "rape",
    "suicide",
    "blood",
    "bloody",
    "kill",
    "kills",
    "killed",
    "killing",
    "murder",
    "murdered",
    "torture",
    "corpse",
    "drugs",
    "title",
    "nazi",
    "slave",
    "naked",
    "nude",
];

/// Words for the young.
pub(super) const YOUNG: &[&str] = &[
    "child",
    "children",
    "kid",
    "kids",
    "boy",
    "boys",
    "girl",
    "girls",
    "baby",
    "babies",
    "teen",
    "teens",
    "teenager",
    "teenagers",
    "toddler",
    "toddlers",
    "schoolgirl",
    "schoolboy",
    "daughter",
    "son",
    "student",
    "students",
    "pupil",
    "pupils",
];

/// Words of closeness and secrecy, which do not stand beside those for the young.
pub(super) const CLOSENESS: &[&str] = &[
    "love", "loves", "loved", "loving", "lover", "secret", "secrets", "secretly", "alone", "bed", "kiss", "kisses",
    "kissed", "touch", "touches", "touched", "dream", "dreams", "body", "desire", "desires", "marry", "married",
    "naughty", "lust",
];

/// Words that are true of everything.
pub(super) const VAGUE_WORDS: &[&str] = &[
    "thing",
    "things",
    "something",
    "anything",
    "everything",
    "everyone",
    "everybody",
    "people",
    "very",
    "someone",
    "world",
    "life",
    "lives",
    "others",
    "really",
    "always",
    "special",
    "unique",
    "amazing",
    "beautiful",
    "important",
    "different",
    "called",
    "known",
    "like",
];

/// Lower-case words, apostrophes kept.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
        .map(|w| w.trim_matches(['\'', '’']).to_lowercase().replace('’', "'"))
        .filter(|w| !w.is_empty())
        .collect()
}

/// A word without its ending, so that `storms` and `storm` are the same.
pub fn stem(word: &str) -> String {
    if let Some(base) = word.strip_suffix('s').filter(|base| base.chars().count() == 3 && !base.ends_with('s')) {
        return base.to_owned();
    }
    for ending in ["ing", "ed", "es", "s", "er"] {
        if let Some(base) = word.strip_suffix(ending)
            && base.chars().count() > 3
        {
            return base.to_owned();
        }
    }
    word.to_owned()
}
