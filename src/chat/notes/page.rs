//! The receipt of a reply as HTML: made by the server alone, so that a page full of figures costs the browser nothing.

use super::store::ReceiptRow;
use crate::{
    chat::prompt::{Receipt, Section},
    models::money,
    ui::escape,
};
use std::fmt::Write;

/// The whole receipt, below the page's heading.
pub fn receipt(row: &ReceiptRow) -> String {
    let mut out = String::new();
    let found = serde_json::from_value::<Receipt>(row.receipt.clone()).ok().filter(|r| !r.sections.is_empty());
    let Some(receipt) = found else {
        out.push_str("<p class=\"note\">Nothing has been sent to a model for this reply.</p>");
        facts(&mut out, row, None);
        return out;
    };
    facts(&mut out, row, Some(&receipt));
    let sum = receipt.sections.iter().map(|s| s.tokens).sum::<u32>().max(1);
    let _ = write!(
        out,
        "<h2>What was sent</h2><p class=\"meta\">In the order in which they begin. Tokens as counted before \
         sending: {} of the {} that the prompt was allowed.</p><ol class=\"portions\">",
        sum,
        receipt.room.max(sum)
    );
    for section in &receipt.sections {
        portion(&mut out, section, &row.oc_name, sum);
    }
    out.push_str("</ol>");
    out
}

fn fact(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    }
}

fn facts(out: &mut String, row: &ReceiptRow, receipt: Option<&Receipt>) {
    out.push_str("<dl class=\"run-facts\">");
    if let Some(receipt) = receipt {
        let place =
            if receipt.provider == "local" { "on this machine".to_owned() } else { format!("by {}", receipt.provider) };
        let asked =
            if receipt.provider.is_empty() { receipt.model.clone() } else { format!("{}, {place}", receipt.model) };
        match &receipt.via {
            Some(via) => {
                fact(out, "Answered by", via);
                fact(out, "Why another answered", receipt.fallback.as_deref().unwrap_or_default());
            }
            None => fact(out, "Model", &asked),
        }
    }
    fact(out, "Started", &row.created_at.text);
    fact(out, "First word", &row.first_token_ms.map(|ms| format!("after {}", seconds(ms.into()))).unwrap_or_default());
    fact(out, "Finished", &row.took_ms.map(|ms| format!("after {}", seconds(ms))).unwrap_or_default());
    let prompt = match (row.prompt_tokens, row.cached_tokens.filter(|c| *c > 0)) {
        (Some(tokens), Some(cached)) => format!("{tokens} tokens ({cached} cached)"),
        (Some(tokens), None) => format!("{tokens} tokens"),
        (None, _) => String::new(),
    };
    fact(out, "Prompt", &prompt);
    let most = receipt.map(|r| format!(", at most {}", r.reply)).unwrap_or_default();
    fact(out, "Reply", &row.reply_tokens.map(|n| format!("{n} tokens{most}")).unwrap_or_default());
    let is_local = receipt.is_some_and(|r| r.provider == "local");
    fact(out, "Cost", &row.cost_micros.map(|micros| money::cost(micros, is_local)).unwrap_or_default());
    if let Some(receipt) = receipt {
        let s = &receipt.sampling;
        let mut drawn = format!("temperature {}, top-p {}", s.temperature, s.top_p);
        if (s.repeat_penalty - 1.0).abs() > f64::EPSILON {
            let _ = write!(drawn, ", repeat penalty {}", s.repeat_penalty);
        }
        fact(out, "Sampling", &drawn);
    }
    let end = match row.finish.as_str() {
        "end" => "Finished normally",
        "stop" => "Reached a stop text",
        "length" => "Reached the length limit",
        "cancelled" => "Stopped",
        _ => "",
    };
    fact(out, "End", end);
    fact(out, if row.finish.is_empty() { "Error" } else { "Note" }, &row.error);
    out.push_str("</dl>");
}

fn portion(out: &mut String, section: &Section, oc: &str, sum: u32) {
    let label = escape(&label(&section.name, oc));
    let Section { tokens, entries, left_out, .. } = section;
    let _ = write!(
        out,
        "<li class=\"portion\"><div class=\"portion-head\"><h3>{label}</h3><span class=\"meta\">{}</span></div>\
         <meter min=\"0\" max=\"{sum}\" value=\"{tokens}\" aria-label=\"{label}: {tokens} of {sum} tokens\"></meter>",
        count(*tokens, "token")
    );
    if *entries > 1 || *left_out > 0 {
        let out_of = if *left_out > 0 { format!(", {left_out} left out") } else { String::new() };
        let _ = write!(out, "<p class=\"meta\">{}{out_of}</p>", count(*entries, "entry"));
    }
    // Neighbours with the same reason share it.
    for left in section.left.chunk_by(|a, b| a.why == b.why) {
        let why = left.first().map(|l| l.why.words()).unwrap_or_default();
        let _ = write!(out, "<div class=\"left-out\"><p>{why}</p><ul>");
        for left in left {
            let _ = write!(out, "<li>{}</li>", escape(&left.what));
        }
        out.push_str("</ul></div>");
    }
    if !section.text.is_empty() {
        let _ = write!(
            out,
            "<details><summary class=\"quiet\">As it was sent</summary><pre class=\"sent-text\" tabindex=\"0\">{}</pre></details>",
            escape(&section.text)
        );
    }
    if let Some(sum) = &section.sha256 {
        let short: String = sum.chars().take(12).collect();
        let _ = write!(
            out,
            "<p class=\"meta\">Only the owner of the character can read this part. Its SHA-256 begins with <code>{short}</code>.</p>"
        );
    }
    out.push_str("</li>");
}

fn label(name: &str, oc: &str) -> String {
    match name {
        "private" => format!("Instructions by the maker of {oc}"),
        "private_after" => format!("Instructions by the maker of {oc}, after the newest message"),
        "identity" => format!("Who {oc} is"),
        "items" => format!("What {oc} carries"),
        "style" => format!("How {oc} speaks"),
        "examples" => format!("Example messages of {oc}"),
        "person" => "Who you are".to_owned(),
        "conversation" => "Instructions for this chat".to_owned(),
        "instructions" => "System prompt".to_owned(),
        "world" => "What happened in the world".to_owned(),
        "heard" => "What is heard of other people's characters".to_owned(),
        "memories" => format!("What {oc} remembers"),
        "summary" => "Summary of earlier messages".to_owned(),
        "history" => "Messages".to_owned(),
        "note" => "Author's note".to_owned(),
        other => other.to_owned(),
    }
}

fn count(n: u32, what: &str) -> String {
    match (n, what) {
        (1, what) => format!("1 {what}"),
        (n, "entry") => format!("{n} entries"),
        (n, what) => format!("{n} {what}s"),
    }
}

fn seconds(ms: i64) -> String {
    if ms < 100 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(seconds(42), "42 ms");
        assert_eq!(seconds(1234), "1.2 s");
        assert_eq!(count(1, "entry"), "1 entry");
        assert_eq!(count(0, "token"), "0 tokens");
    }
}
