//! One reply of a provider: tries, time limits, size limits, and the way from its bytes to chunks.

use super::{
    Endpoint, Outgoing, Protocol, anthropic, count_tokens,
    event::{Event, Garbled, Usage},
    fault::{Said, Trouble, causes, judge, redact, unreachable},
    frames::Frame,
    openai,
    standing::{Quirk, Quirks, Standing},
    voice::Voice,
    wire::{COMPRESSED, Reader, Shape, address, headers, prompt_tokens, read_failure, text_of},
};
use crate::{
    ai::{Chunk, Finish, FinishReason, ModelError, Request, breaker::Permit},
    lenient,
};
use reqwest::{Response, header::CONTENT_ENCODING};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Tries of one reply, the first one included.
const TRIES: u32 = 3;
/// A provider that wants a longer pause is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// First pause between tries; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// What may still come after a reply has ended is waited for this long: its cost, and words that are late.
const GRACE: Duration = Duration::from_secs(8);
/// The same once the cost is known.
const SHORT_GRACE: Duration = Duration::from_secs(1);
/// A reply is cut off after this many bytes on the wire, thoughts and wrapping included.
const WIRE_MAX: usize = 32 << 20;
/// Longest answer that is not streamed.
const WHOLE_MAX: usize = 8 << 20;
/// Room for thoughts, in tokens, on top of the length of a reply.
const THINKING_ROOM: u32 = 4096;
/// No token is longer than this many bytes for long; a stream that says more than its length in tokens allows is cut.
const TOKEN_BYTES: usize = 16;

/// What is asked, and of whom.
pub(super) struct Call {
    pub outgoing: Outgoing,
    pub endpoint: Arc<Endpoint>,
    pub protocol: Protocol,
    pub request: Request,
}

/// Makes the reply. Ends when it is done, failed, cancelled or nobody listens any more; the connection ends with it.
pub(super) async fn run(call: Call, cancel: CancellationToken, out: Sender<Result<Chunk, ModelError>>) {
    let total = call.endpoint.timeouts.total;
    let mut talk = Talk::new(&call, &out);
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(FinishReason::Cancelled),
        () = out.closed() => Ok(FinishReason::Cancelled),
        ended = timeout(total, talk.through()) => ended.unwrap_or_else(|_| talk.out_of_time()),
    };
    // Nobody may be there any more.
    if ended.is_err()
        && let Some(spent) = talk.spent()
    {
        let _ = out.send(Ok(Chunk::Spent(spent))).await;
    }
    let _ = out.send(ended.map(|reason| Chunk::Done(talk.finish(reason)))).await;
}

/// Where a reply stands, over all tries.
struct Talk<'a> {
    call: &'a Call,
    out: &'a Sender<Result<Chunk, ModelError>>,
    standing: Arc<Standing>,
    /// Something was shown; nothing may be tried again.
    spoken: bool,
    /// Failures before this try.
    failures: Vec<ModelError>,
    usage: Usage,
    /// The provider said what it cost at the end, and not only on the way.
    is_counted: bool,
    /// The request has left the house, and was not sent back unread.
    is_sent: bool,
    /// What earlier tries cost that broke off.
    paid: Usage,
    prompt_tokens: u32,
    said: String,
    /// Tokens of words that were shown and turned out to be thoughts.
    taken_back: u32,
}

impl<'a> Talk<'a> {
    fn new(call: &'a Call, out: &'a Sender<Result<Chunk, ModelError>>) -> Self {
        Self {
            standing: call.outgoing.standing(&call.endpoint),
            call,
            out,
            spoken: false,
            failures: Vec::new(),
            usage: Usage::default(),
            is_counted: false,
            is_sent: false,
            paid: Usage::default(),
            prompt_tokens: prompt_tokens(&call.request),
            said: String::new(),
            taken_back: 0,
        }
    }

    fn provider(&self) -> String {
        self.call.endpoint.provider.clone()
    }

    fn bad(&self, what: &'static str) -> ModelError {
        ModelError::BadResponse { provider: self.provider(), what }
    }

    /// What this try cost as the provider said it, or as it is likely to be.
    fn cost(&self) -> Usage {
        if !self.is_sent {
            return Usage::default();
        }
        let guess = count_tokens(&self.said).saturating_add(self.taken_back);
        let reply = match self.usage.reply {
            Some(counted) if self.is_counted => counted,
            // On the way, providers say 1.
            other => guess.max(other.unwrap_or_default()),
        };
        Usage { prompt: Some(self.usage.prompt.unwrap_or(self.prompt_tokens)), reply: Some(reply), ..self.usage }
    }

    /// All tries together.
    fn finish(&self, reason: FinishReason) -> Finish {
        let all = self.paid.plus(self.cost());
        Finish {
            reason,
            prompt_tokens: all.prompt.unwrap_or_default(),
            cached_tokens: all.cached,
            cache_write_tokens: all.cache_write,
            reply_tokens: all.reply.unwrap_or_default(),
        }
    }

    /// What was spent on a reply that failed; `None` when nothing left the house, or all of it came back unread.
    fn spent(&self) -> Option<Finish> {
        let spent = self.finish(FinishReason::Cancelled);
        (spent.prompt_tokens > 0 || spent.reply_tokens > 0).then_some(spent)
    }

    fn out_of_time(&self) -> Result<FinishReason, ModelError> {
        if self.spoken {
            return Ok(FinishReason::Length);
        }
        Err(ModelError::Timeout { provider: self.provider(), seconds: self.call.endpoint.timeouts.total.as_secs() })
    }

    /// Tries until it works, or cannot.
    async fn through(&mut self) -> Result<FinishReason, ModelError> {
        let endpoint = &self.call.endpoint;
        // The estimate is rough: only what is far beyond is refused without asking.
        if endpoint.context > 0 && self.prompt_tokens / 2 > endpoint.context {
            return Err(ModelError::TooLong { needed: self.prompt_tokens, context: endpoint.context });
        }
        let standing = Arc::clone(&self.standing);
        loop {
            let permit = standing
                .breaker
                .enter()
                .map_err(|wait| ModelError::Overloaded { provider: self.provider(), retry_after: Some(wait) })?;
            let trouble = match self.attempt(standing.quirks()).await {
                Ok(reason) => {
                    permit.well();
                    return Ok(reason);
                }
                Err(trouble) => trouble,
            };
            settle(permit, &trouble);
            let tries = u32::try_from(self.failures.len()).unwrap_or(u32::MAX).saturating_add(1);
            tracing::warn!(
                provider = %endpoint.provider, model = %endpoint.model, kind = trouble.error.kind(), tries,
                detail = %trouble.detail, "a provider failed"
            );
            if self.spoken {
                return Err(trouble.error);
            }
            // What takes no schema and was asked for plain JSON already wants no form at all.
            let less =
                |quirk: Quirk| standing.learn(quirk) || (quirk == Quirk::NoSchema && standing.learn(Quirk::NoJson));
            if trouble.quirks.iter().any(|quirk| less(*quirk)) {
                continue;
            }
            let pause = trouble.again.filter(|_| tries < TRIES).map(|wanted| pause(tries, wanted));
            let Some(pause) = pause.filter(|pause| *pause <= LONGEST_PAUSE) else { return Err(trouble.error) };
            self.failures.push(trouble.error);
            tokio::time::sleep(pause).await;
        }
    }

    /// One try.
    async fn attempt(&mut self, quirks: Quirks) -> Result<FinishReason, Trouble> {
        let waits = self.call.endpoint.timeouts;
        let first_by = Instant::now() + waits.first_token;
        self.paid = self.paid.plus(self.cost());
        self.usage = Usage::default();
        self.is_sent = false;
        let mut response = self.ask(quirks, first_by).await?;

        let request = &self.call.request;
        let mouth = self.call.endpoint.capabilities.prefill && !quirks.has(Quirk::NoPrefill);
        let mut flow = Flow {
            reader: Reader::of(self.call.protocol, request.schema.is_some()),
            voice: Voice::new(&request.stop, &request.prefill, mouth),
            ends: None,
            has_thought: false,
        };
        let mut shape = Shape::Unknown;
        let mut bytes = Vec::new();
        let mut received = 0_usize;
        let (mut deadline, mut patience) = (first_by, waits.first_token);
        loop {
            let packet = match timeout_at(deadline, response.chunk()).await {
                // All that matters has come.
                Err(_) | Ok(Err(_)) if flow.ends.is_some() => return self.conclude(flow, true).await,
                Err(_) => return Err(self.silent(patience)),
                Ok(Err(error)) => return Err(self.broken(&error)),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(packet))) => packet,
            };
            received += packet.len();
            if received > WIRE_MAX {
                return self.too_much(flow).await;
            }
            if matches!(shape, Shape::Unknown | Shape::Whole) {
                bytes.extend_from_slice(&packet);
                if matches!(shape, Shape::Unknown) {
                    shape = Shape::of(&bytes).map_err(|what| Trouble::broken(self.bad(what), "no text"))?;
                }
            }
            let fed = match &mut shape {
                Shape::Unknown => continue,
                Shape::Whole if bytes.len() > WHOLE_MAX => {
                    return Err(Trouble::broken(self.bad("sent more than any answer has"), "a huge body"));
                }
                Shape::Whole => {
                    (deadline, patience) = (Instant::now() + waits.between_tokens, waits.between_tokens);
                    continue;
                }
                Shape::Stream(frames) => {
                    let packet = if bytes.is_empty() { packet.as_ref() } else { bytes.as_slice() };
                    frames.push(packet)
                }
            };
            bytes = Vec::new();
            if fed.is_err() {
                return self.too_much(flow).await;
            }
            while let Shape::Stream(frames) = &mut shape
                && let Some(frame) = frames.next()
            {
                let had_ended = flow.ends.is_some();
                let events = match self.read(&mut flow, &frame.data) {
                    // Whatever some servers write behind a whole reply.
                    Err(_) if had_ended => continue,
                    other => other?,
                };
                let moved = !events.is_empty();
                match self.take(&mut flow, events).await? {
                    Step::On if flow.ends.is_some() && (moved || self.usage.reply.is_some()) => {
                        let grace = if self.usage.reply.is_some() { SHORT_GRACE } else { GRACE };
                        patience = grace.min(waits.between_tokens);
                        deadline = Instant::now() + patience;
                    }
                    Step::On if moved => {
                        patience = waits.between_tokens;
                        deadline = Instant::now() + patience;
                    }
                    Step::On => {}
                    Step::Over => return self.conclude(flow, true).await,
                    Step::Cut(reason) => return Ok(reason),
                }
            }
        }
        self.at_the_end(flow, shape, &bytes).await
    }

    /// The body has ended.
    async fn at_the_end(&mut self, mut flow: Flow, shape: Shape, bytes: &[u8]) -> Result<FinishReason, Trouble> {
        let events = match shape {
            Shape::Unknown => Vec::new(),
            Shape::Whole => {
                let value: Value = lenient::piece(&text_of(bytes))
                    .map_err(|_| Trouble::broken(self.bad("sent something that is no answer"), "broken JSON"))?;
                flow.reader.whole(&value).map_err(|garbled| self.garbled(&garbled))?
            }
            Shape::Stream(mut frames) => {
                // Half a frame says nothing: the connection broke.
                let read = |frame: &Frame| self.read(&mut flow, &frame.data).unwrap_or_default();
                frames.finish().iter().flat_map(read).collect()
            }
        };
        match self.take(&mut flow, events).await? {
            Step::On => self.conclude(flow, false).await,
            Step::Over => self.conclude(flow, true).await,
            Step::Cut(reason) => Ok(reason),
        }
    }

    /// Sends the request and looks at the head of the answer.
    async fn ask(&mut self, quirks: Quirks, first_by: Instant) -> Result<Response, Trouble> {
        let endpoint = &self.call.endpoint;
        let url = address(endpoint, self.call.protocol);
        let unusable = |error: ModelError| {
            let detail = redact(&error.to_string(), None);
            Trouble::lasting(error, detail)
        };
        let client = self.call.outgoing.client(&url, endpoint.timeouts.connect).map_err(unusable)?;
        let headers = headers(endpoint, self.call.protocol).map_err(unusable)?;
        let max_tokens = self.max_tokens();
        let body = match self.call.protocol {
            Protocol::Anthropic => anthropic::body(&self.call.request, endpoint, quirks, max_tokens),
            Protocol::OpenAi => openai::body(&self.call.request, endpoint, quirks, max_tokens),
        };
        // From here on it is read and paid for, unless it turns out that it was not.
        let _ = self.out.send(Ok(Chunk::Started)).await;
        self.is_sent = true;
        let sent = timeout_at(first_by, client.post(url).headers(headers).json(&body).send()).await;
        let response = match sent {
            Err(_) => return Err(self.silent(endpoint.timeouts.first_token)),
            Ok(Err(error)) => {
                self.is_sent = !error.is_connect() && !error.is_builder();
                return Err(unreachable(&error, endpoint));
            }
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            let coding = response.headers().get(CONTENT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("identity");
            if !coding.trim().is_empty() && !coding.trim().eq_ignore_ascii_case("identity") {
                return Err(Trouble::broken(self.bad(COMPRESSED), coding));
            }
            return Ok(response);
        }
        self.is_sent = false;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_failure(response).await;
        let said = match lenient::read::<Value>(&text_of(&body)) {
            Ok(value) => Said::of(&value),
            // A page of a proxy: its title would be of use to nobody here.
            Err(_) if body.trim_ascii_start().starts_with(b"<") => Said::default(),
            Err(_) => Said { message: String::from_utf8_lossy(&body).into_owned(), ..Said::default() },
        };
        let needed = self.prompt_tokens.saturating_add(max_tokens);
        Err(judge(&said.with_head(status, &headers), endpoint, needed))
    }

    /// Length of the reply that is asked for.
    fn max_tokens(&self) -> u32 {
        let endpoint = &self.call.endpoint;
        let room = if endpoint.capabilities.thinking { THINKING_ROOM } else { 0 };
        let most = if endpoint.max_output == 0 { u32::MAX } else { endpoint.max_output };
        let wanted = self.call.request.max_tokens.max(1).saturating_add(room).min(most);
        // Servers refuse what could not fit; the estimate is above the truth, so a little is asked for in any case.
        let left = if endpoint.context == 0 { u32::MAX } else { endpoint.context.saturating_sub(self.prompt_tokens) };
        wanted.min(left.max(256))
    }

    fn read(&self, flow: &mut Flow, data: &str) -> Result<Vec<Event>, Trouble> {
        flow.reader.frame(data).map_err(|garbled| self.garbled(&garbled))
    }

    /// Does what events say.
    async fn take(&mut self, flow: &mut Flow, events: Vec<Event>) -> Result<Step, Trouble> {
        for event in events {
            match event {
                Event::Work => {}
                Event::Thinks => flow.has_thought = true,
                Event::Text(text) => {
                    let said = flow.voice.push(&text);
                    if said.takes_back {
                        self.take_back().await;
                    }
                    self.say(said.text).await;
                    if said.stopped {
                        self.usage = flow.reader.usage();
                        return Ok(Step::Cut(FinishReason::Stop));
                    }
                    let most = usize::try_from(self.max_tokens()).unwrap_or(usize::MAX).saturating_mul(TOKEN_BYTES);
                    if self.said.len() > most.saturating_add(2048) {
                        self.usage = flow.reader.usage();
                        return Ok(Step::Cut(FinishReason::Length));
                    }
                }
                Event::Ends(reason) => flow.ends = Some(reason),
                Event::Refuses => {
                    let error = ModelError::Refused { provider: self.provider() };
                    return Err(Trouble::lasting(error, "declined"));
                }
                Event::Over => return Ok(Step::Over),
                // The reply is whole; what its server does afterwards is its own affair.
                Event::Fails(_) if flow.ends.is_some() && !self.said.is_empty() => return Ok(Step::Over),
                Event::Fails(said) => return Err(judge(&said, &self.call.endpoint, self.prompt_tokens)),
            }
        }
        self.usage = flow.reader.usage();
        Ok(Step::On)
    }

    /// Nothing more will come. `is_said` when the provider itself said so.
    async fn conclude(&mut self, mut flow: Flow, is_said: bool) -> Result<FinishReason, Trouble> {
        self.usage = flow.reader.usage();
        if flow.ends.is_none() && !(is_said && (self.spoken || !flow.reader.has_no_calls())) {
            let rest = flow.voice.finish();
            self.say(rest).await;
            return Err(Trouble::passing(
                self.bad("broke off in the middle of its answer; please try again"),
                "cut off",
            ));
        }
        self.is_counted = true;
        let rest = flow.voice.finish();
        self.say(rest).await;
        let has_thought = flow.has_thought || flow.voice.has_thought();
        let calls = flow.reader.calls(&self.call.request.tools);
        // Where a reply goes on, nothing more is an answer, too.
        if calls.is_empty() && self.said.trim().is_empty() && self.call.request.prefill.trim().is_empty() {
            let in_thoughts = has_thought && flow.ends == Some(FinishReason::Length);
            let error = ModelError::NoWords { provider: self.provider(), in_thoughts };
            return Err(Trouble::lasting(error, "no words"));
        }
        if calls.is_empty() {
            return Ok(match flow.ends {
                Some(FinishReason::ToolUse) | None => FinishReason::End,
                Some(reason) => reason,
            });
        }
        for call in calls {
            self.begin().await;
            let _ = self.out.send(Ok(Chunk::ToolCall(call))).await;
        }
        Ok(FinishReason::ToolUse)
    }

    async fn say(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        self.begin().await;
        self.said.push_str(&text);
        let _ = self.out.send(Ok(Chunk::Text(text))).await;
    }

    /// All that was said was a thought.
    async fn take_back(&mut self) {
        let said = std::mem::take(&mut self.said);
        self.taken_back = self.taken_back.saturating_add(count_tokens(&said));
        if self.spoken {
            let _ = self.out.send(Ok(Chunk::TakeBack)).await;
        }
    }

    /// Says once, before the first word, how many tries it took.
    async fn begin(&mut self) {
        if std::mem::replace(&mut self.spoken, true) || self.failures.is_empty() {
            return;
        }
        let provider = self.provider();
        let before: Vec<String> = self.failures.iter().map(|error| error.past()).collect();
        let note = format!(
            "{provider} answered at try {}; before that it {}.",
            self.failures.len() + 1,
            before.join(", then ")
        );
        let via = Chunk::Via { provider, model: self.call.endpoint.model.clone(), note };
        let _ = self.out.send(Ok(via)).await;
    }

    /// More came than any reply has.
    async fn too_much(&mut self, mut flow: Flow) -> Result<FinishReason, Trouble> {
        let rest = flow.voice.finish();
        self.say(rest).await;
        if self.spoken {
            return Ok(FinishReason::Length);
        }
        Err(Trouble::broken(self.bad("sent more than any answer has"), "an endless answer"))
    }

    fn silent(&self, patience: Duration) -> Trouble {
        let error = ModelError::Timeout { provider: self.provider(), seconds: patience.as_secs().max(1) };
        Trouble::broken(error, "silence")
    }

    fn garbled(&self, garbled: &Garbled) -> Trouble {
        Trouble::broken(self.bad(garbled.0), "no frame of the protocol")
    }

    fn broken(&self, error: &reqwest::Error) -> Trouble {
        Trouble::passing(
            self.bad("broke off in the middle of its answer; please try again"),
            causes(error, &self.call.endpoint),
        )
    }
}

/// What a reply is read with.
struct Flow {
    reader: Reader,
    voice: Voice,
    ends: Option<FinishReason>,
    /// The model thought, apart from its words.
    has_thought: bool,
}

/// What follows from some events.
enum Step {
    /// More is to come.
    On,
    /// The provider says that nothing follows.
    Over,
    /// Enough; the connection is dropped.
    Cut(FinishReason),
}

/// Tells the breaker. A refusal of our request says that the provider is well.
fn settle(permit: Permit<'_>, trouble: &Trouble) {
    if trouble.counts {
        permit.badly();
    } else {
        permit.well();
    }
}

/// The pause before the next try: the provider's wish, or one that doubles, with jitter so that not all come at once.
fn pause(tries: u32, wanted: Option<Duration>) -> Duration {
    let jitter = rand::random::<f64>();
    match wanted {
        Some(wanted) => wanted + Duration::from_millis(250).mul_f64(jitter),
        None => (FIRST_PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1).min(4))).mul_f64(0.75 + jitter / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_wishes_are_kept() {
        for _ in 0..50 {
            assert!((375..=625).contains(&pause(1, None).as_millis()));
            assert!((750..=1250).contains(&pause(2, None).as_millis()));
            assert!((7000..=7250).contains(&pause(2, Some(Duration::from_secs(7))).as_millis()));
        }
    }
}
