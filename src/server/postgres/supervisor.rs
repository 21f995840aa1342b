//! `soulforge pg-run`: the small process between the application and PostgreSQL.
//!
//! PostgreSQL is its direct child, so that it learns how it ended and collects it before starting it again: a killed
//! postmaster that nobody waits for still looks alive to the next one. It outlives a killed application for as long as
//! a clean stop takes, which it notices by the end of its standard input. To the application it speaks in lines:
//! `waiting`, `starting`, `ready`, `restarting WHY`, `failed WHY`, `stopped`.

use super::{layout::Layout, lock, pidfile, prepare, proc};
use rustix::{io::FdFlags, process::Signal};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{Read, Write},
    path::PathBuf,
    process::{ExitCode, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{sleep, timeout},
};

/// This many unexpected ends within [`PATIENCE`] and the supervisor gives up.
pub(super) const TRIES: usize = 5;
/// The span in which the tries are counted.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long a fast stop may take before PostgreSQL is asked to stop at once. It is never killed.
const FAST_STOP: Duration = Duration::from_secs(60);
/// How long to wait for a former server of this cluster to end.
const FORMER: Duration = Duration::from_secs(150);
/// When to help a former server along whose supervisor is gone.
const NUDGE: Duration = Duration::from_secs(1);

/// Arguments of `soulforge pg-run`, given by the application; not for people.
#[derive(Debug, Clone, clap::Args)]
pub struct PgRunArgs {
    /// The folder with PostgreSQL's bin, lib and share.
    #[arg(long)]
    pub(super) binaries: PathBuf,
    /// The root folder of the cluster, absolute and without links.
    #[arg(long)]
    pub(super) root: PathBuf,
    /// An account of the machine that may use the cluster; can be given several times.
    #[arg(long = "account")]
    pub(super) accounts: Vec<String>,
}

/// Runs PostgreSQL until the application ends, asks for a stop, or PostgreSQL cannot be kept running.
///
/// To be called from the main thread of a process that does nothing else: PostgreSQL is told to stop when the thread
/// that started it ends, and the main thread ends last.
pub fn pg_run_main(args: PgRunArgs) -> ExitCode {
    // What PostgreSQL writes is for its own account only.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop: {error}"))
        .and_then(|runtime| runtime.block_on(run(&args)));
    match ended {
        Ok(()) => {
            say("stopped");
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&format!("failed {why}"));
            ExitCode::FAILURE
        }
    }
}

/// The whole life; `Ok` after a stop that was asked for.
async fn run(args: &PgRunArgs) -> Result<(), String> {
    let layout = Layout::new(&args.root, rustix::process::geteuid().as_raw());
    let mut stop = watch_for_stop()?;
    let Some(lock) = acquire(&layout, &mut stop).await? else { return Ok(()) };
    // PostgreSQL inherits the lock: it is free again when the last of its processes has gone, whoever died first.
    rustix::io::fcntl_setfd(&lock, FdFlags::empty()).map_err(|error| format!("cannot pass the lock on: {error}"))?;
    say("starting");
    prepare::prepare(args, &layout)?;

    let mut ends = VecDeque::new();
    while !*stop.borrow() {
        prepare::clear_way(&layout)?;
        let mut server = start(args, &layout)?;
        let Some(status) = attend(&mut server, &layout, &mut stop).await? else { break };
        let why = explain(status, &layout);
        if give_up(&mut ends, Instant::now()) {
            return Err(format!("it ended {TRIES} times within {} seconds, last: {why}", PATIENCE.as_secs()));
        }
        say(&format!("restarting {why}"));
        tokio::select! {
            () = sleep(backoff(ends.len())) => {}
            () = asked_to(&mut stop) => {}
        }
    }
    Ok(())
}

/// Takes the cluster's lock, waiting for a former server to end; `None` when a stop was asked for meanwhile.
async fn acquire(layout: &Layout, stop: &mut watch::Receiver<bool>) -> Result<Option<File>, String> {
    let begun = Instant::now();
    let mut nudged = false;
    loop {
        if let Some(file) = lock::try_lock(&layout.cluster_lock()).map_err(|error| error.to_string())? {
            return Ok(Some(file));
        }
        if *stop.borrow() {
            return Ok(None);
        }
        if begun.elapsed() > FORMER {
            let servers = proc::postgres_in(&layout.data());
            return Err(format!(
                "a former PostgreSQL of this folder has not ended in {} seconds (processes {servers:?})",
                FORMER.as_secs()
            ));
        }
        if !nudged && begun.elapsed() > NUDGE {
            nudged = true;
            say("waiting");
            nudge(layout);
        }
        tokio::select! {
            () = sleep(Duration::from_millis(20)) => {}
            () = asked_to(stop) => {}
        }
    }
}

/// Asks a server of this cluster to stop, whose supervisor may be gone. It is known by its folder, not by a number.
fn nudge(layout: &Layout) {
    let noted = fs::read_to_string(layout.pid_file()).ok().and_then(|text| pidfile::parse(&text));
    let serving = noted.filter(|file| proc::postgres_in(&layout.data()).contains(&file.pid));
    if let Some(pid) = serving.and_then(|file| process_id(file.pid)) {
        let _ = rustix::process::kill_process(pid, Signal::INT);
    }
}

/// Starts PostgreSQL in the foreground as a child that stops when this process dies.
#[expect(unsafe_code, reason = "pre_exec is the only way to ask for a signal at the parent's death before exec")]
fn start(args: &PgRunArgs, layout: &Layout) -> Result<Child, String> {
    let log = File::create(layout.start_log()).map_err(|error| format!("{}: {error}", layout.start_log().display()))?;
    let output = log.try_clone().map_err(|error| format!("{}: {error}", layout.start_log().display()))?;
    let mut command = Command::new(args.binaries.join("bin/postgres"));
    command.arg("-D").arg(layout.data()).stdin(Stdio::null()).stdout(output).stderr(log);
    command.env("LD_LIBRARY_PATH", super::place::library_path(&args.binaries));
    let us = rustix::process::getpid();
    // SAFETY: between fork and exec the closure only makes two system calls; it neither allocates nor takes a lock.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
            // We may have died before that call.
            if rustix::process::getppid() == Some(us) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        });
    }
    command.spawn().map_err(|error| format!("{} cannot be run: {error}", args.binaries.join("bin/postgres").display()))
}

/// Waits for the server's end. `Some` when it ended by itself, `None` after a stop that was asked for.
async fn attend(
    server: &mut Child,
    layout: &Layout,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<ExitStatus>, String> {
    let mut ready = false;
    loop {
        tokio::select! {
            status = server.wait() => return status.map(Some).map_err(|error| format!("cannot wait for it: {error}")),
            () = asked_to(stop) => {
                stop_server(server).await?;
                return Ok(None);
            }
            () = sleep(Duration::from_millis(20)), if !ready => {
                ready = says_ready(layout, server.id());
                if ready {
                    say("ready");
                }
            }
        }
    }
}

/// Whether the postmaster has written that it accepts connections.
fn says_ready(layout: &Layout, server: Option<u32>) -> bool {
    let file = fs::read_to_string(layout.pid_file()).ok().and_then(|text| pidfile::parse(&text));
    file.is_some_and(|file| Some(file.pid) == server && file.status.as_deref() == Some("ready"))
}

/// A fast stop; an immediate one if that takes too long; never a kill.
async fn stop_server(server: &mut Child) -> Result<(), String> {
    for (sign, patience) in [(Signal::INT, FAST_STOP), (Signal::QUIT, FAST_STOP * 10)] {
        // Not waited for yet, so the number is still its own.
        if let Some(pid) = server.id().and_then(process_id) {
            let _ = rustix::process::kill_process(pid, sign);
        }
        if let Ok(status) = timeout(patience, server.wait()).await {
            return status.map(drop).map_err(|error| format!("cannot wait for it: {error}"));
        }
    }
    Err("it does not stop".to_owned())
}

/// How it ended and what it said last.
fn explain(status: ExitStatus, layout: &Layout) -> String {
    use std::os::unix::process::ExitStatusExt;
    if let Some(number) = status.signal() {
        return format!("it was ended by signal {number}");
    }
    let newest = fs::read_dir(layout.log()).into_iter().flatten().flatten();
    let newest = newest.max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok());
    let said = newest.and_then(|entry| fs::read(entry.path()).ok()).unwrap_or_default();
    let tail = said.get(said.len().saturating_sub(16_384)..).unwrap_or_default();
    format!("it ended with {status}: {}", prepare::last_error(&String::from_utf8_lossy(tail)))
}

/// Notes an unexpected end; true when there were too many of late.
pub(super) fn give_up(ends: &mut VecDeque<Instant>, now: Instant) -> bool {
    ends.push_back(now);
    ends.retain(|end| now.duration_since(*end) < PATIENCE);
    ends.len() >= TRIES
}

/// The pause before another try.
pub(super) fn backoff(ends: usize) -> Duration {
    let doublings = u32::try_from(ends.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
    Duration::from_millis(50) * 2_u32.pow(doublings)
}

/// A value that becomes true when the application has gone (its end of our standard input is closed) or a signal asks.
fn watch_for_stop() -> Result<watch::Receiver<bool>, String> {
    let (sender, receiver) = watch::channel(false);
    let no_signals = |error: std::io::Error| format!("cannot listen for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
    let by_signal = sender.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        by_signal.send_replace(true);
    });
    // A thread of its own: reading it through the event loop would keep the process from ending.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut bytes = [0; 64];
        while input.read(&mut bytes).is_ok_and(|count| count > 0) {}
        sender.send_replace(true);
    });
    Ok(receiver)
}

/// Resolves when a stop is asked for.
async fn asked_to(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn process_id(pid: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Tells the application. It may have gone, which is noticed elsewhere.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_after_five_ends_in_two_minutes_only() {
        let mut ends = VecDeque::new();
        let begun = Instant::now();
        for second in [0, 1, 2, 3] {
            assert!(!give_up(&mut ends, begun + Duration::from_secs(second)));
        }
        assert!(give_up(&mut ends, begun + Duration::from_secs(4)));

        let mut ends = VecDeque::new();
        for second in [0, 40, 80, 121, 161, 201] {
            assert!(!give_up(&mut ends, begun + Duration::from_secs(second)), "four in two minutes are bearable");
        }
    }

    #[test]
    fn waits_longer_each_time() {
        assert_eq!(backoff(1), Duration::from_millis(50));
        assert_eq!(backoff(4), Duration::from_millis(400));
        assert!(backoff(1000) <= Duration::from_secs(4));
    }
}
