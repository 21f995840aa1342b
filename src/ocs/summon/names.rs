//! Names that a model may take for somebody whose sentence gives none. Asked for "a name", small models write the trade
//! ("Sculptor") and large ones the same few names each time; with three that fit the language before it, both choose.

use crate::ocs::style::Seeded;

/// Names by the code of a language. The first list is for all others.
const NAMES: [(&str, &[&str]); 7] = [
    (
        "en",
        &[
            "Wilmot", "Marit", "Osgood", "Tamsin", "Ferris", "Ione", "Barnaby", "Saoirse", "Quill", "Hesper", "Amadi",
            "Rowena", "Dmitri", "Yara", "Corwin", "Philippa", "Tobin", "Ngaio", "Alasdair", "Vesna", "Jocasta",
            "Emrys", "Sunniva", "Cato", "Maeve", "Ansel", "Idris", "Petra", "Lorcan", "Zuleika", "Bram", "Odalys",
            "Merrick", "Ottilie", "Kestrel", "Ravi", "Linnet", "Anouk", "Gideon", "Halcyon",
        ],
    ),
    (
        "de",
        &[
            "Alwin",
            "Gundula",
            "Korbinian",
            "Henrike",
            "Eberhard",
            "Mechthild",
            "Lorenz",
            "Friederike",
            "Veit",
            "Almut",
            "Konrad",
            "Swantje",
            "Ruprecht",
            "Irmgard",
            "Valentin",
            "Ottilie",
            "Hanno",
            "Roswitha",
            "Severin",
            "Wiebke",
        ],
    ),
    (
        "fr",
        &[
            "Anselme",
            "Solveig",
            "Barnabé",
            "Clothilde",
            "Corentin",
            "Ondine",
            "Gaspard",
            "Maëlle",
            "Isidore",
            "Perrine",
            "Landry",
            "Rozenn",
            "Théophile",
            "Azélie",
            "Maxence",
            "Yvonne",
            "Aurélien",
            "Tiphaine",
            "Célestin",
            "Nolwenn",
        ],
    ),
    (
        "es",
        &[
            "Amaro",
            "Candela",
            "Baltasar",
            "Remedios",
            "Evaristo",
            "Jimena",
            "Leandro",
            "Rocío",
            "Melchor",
            "Inés",
            "Onofre",
            "Macarena",
            "Saturnino",
            "Ximena",
            "Teodoro",
            "Milagros",
            "Hilario",
            "Nieves",
            "Fermín",
            "Aurora",
        ],
    ),
    (
        "it",
        &[
            "Ambrogio",
            "Fiammetta",
            "Baldassarre",
            "Ginevra",
            "Corrado",
            "Ortensia",
            "Ermete",
            "Serafina",
            "Fabrizio",
            "Palmira",
            "Gaspare",
            "Viola",
            "Leandro",
            "Donatella",
            "Orfeo",
            "Mafalda",
            "Silvano",
            "Ottavia",
            "Tullio",
            "Zita",
        ],
    ),
    (
        "pt",
        &[
            "Anselmo",
            "Benedita",
            "Baltazar",
            "Conceição",
            "Evaristo",
            "Filipa",
            "Gaspar",
            "Iracema",
            "Jorge",
            "Luzia",
            "Martim",
            "Perpétua",
            "Raimundo",
            "Serafina",
            "Tomé",
            "Violante",
            "Xavier",
            "Zulmira",
            "Duarte",
            "Mafalda",
        ],
    ),
    (
        "ja",
        &[
            "小夜",
            "源三",
            "千歳",
            "弥助",
            "薫",
            "辰巳",
            "澪",
            "一馬",
            "紬",
            "宗介",
            "灯里",
            "伊織",
            "雪乃",
            "蓮司",
            "千早",
            "吉兵衛",
            "紫苑",
            "弦",
            "琴音",
            "朔",
        ],
    ),
];

/// Three names in a language, drawn by a seed.
#[must_use]
pub fn three(language: &str, seed: &str) -> [&'static str; 3] {
    let list = NAMES.iter().find(|(code, _)| *code == language).or(NAMES.first()).map_or(&[][..], |(_, list)| list);
    let mut drawn = Seeded::new(seed, "name");
    let at = usize::try_from(drawn.bits() % list.len().max(1) as u64).unwrap_or_default();
    // Steps that are no divisor of a list's length never meet the same name twice in three.
    [0, 7, 19].map(|step| list.get((at + step) % list.len().max(1)).copied().unwrap_or_default())
}

#[cfg(test)]
mod unit {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn three_names_are_three_and_differ_by_seed() {
        let mut seen = HashSet::new();
        for language in ["en", "de", "fr", "es", "it", "pt", "ja", "nl", ""] {
            for seed in 0..50 {
                let names = three(language, &seed.to_string());
                assert_eq!(HashSet::from(names).len(), 3, "{language} {names:?}");
                assert!(names.iter().all(|name| !name.is_empty()));
                seen.extend(names);
            }
        }
        assert!(seen.len() > 100, "{}", seen.len());
    }
}
