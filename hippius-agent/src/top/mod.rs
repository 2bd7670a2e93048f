//! `hippius-agent top`: the busiest accounts, operations, endpoints, services, peers or connections in a terminal.
//!
//! It reads the table document of a running agent over HTTP, sorted and searched there, so that a terminal over a slow
//! line gets the rows that it shows and no more.

pub mod client;
pub mod keys;
pub mod view;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::record::history::answer::Table;
use crate::record::history::table::{By, Sort};
use client::{Client, ClientError, Target};
use keys::{Action, Screen};

/// How long a key may wait for the screen.
const TICK: Duration = Duration::from_millis(100);

/// What is shown first, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whom to ask.
    pub target: Target,
    /// What a row is.
    pub by: By,
    /// What comes first.
    pub sort: Sort,
    /// Part of a name.
    pub search: String,
    /// Time between two questions.
    pub interval: Duration,
    /// Print one table and end.
    pub once: bool,
}

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// Standard output is a file or a pipe.
    #[error("standard output is no terminal: use --once to print one table")]
    NoTerminal,
    /// The terminal or the runtime failed.
    #[error("the terminal failed: {0}")]
    Terminal(#[from] std::io::Error),
    /// The agent did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Shows the table until it is left.
pub fn run(options: Options) -> Result<(), TopError> {
    let client = Arc::new(Client::new(&options.target)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut screen = Screen::new(options.by, options.sort, options.search);
    if options.once {
        screen.shown(runtime.block_on(client.table(&screen.ask))?);
        print(&view::plain(&screen));
        return Ok(());
    }
    if !std::io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let stop = stop_signals(&runtime)?;
    // Sets the terminal back when the program panics, too.
    let mut terminal = ratatui::try_init()?;
    let asker = Asker::new(&runtime, client);
    let left = show(&mut terminal, &mut screen, &asker, options.interval, &stop);
    ratatui::try_restore()?;
    runtime.shutdown_background();
    Ok(left?)
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    screen: &mut Screen,
    asker: &Asker,
    interval: Duration,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let mut due = Instant::now();
    let mut draw = true;
    while !stop.load(Ordering::Relaxed) {
        if Instant::now() >= due && !screen.paused {
            asker.ask(screen);
            due = Instant::now() + interval;
        }
        if let Some(answer) = asker.answer() {
            match answer {
                // Asked before the last key: the next answer is on its way.
                Ok((asked, _)) if asked != screen.ask => due = Instant::now(),
                Ok((_, table)) => screen.shown(table),
                Err(error) => screen.failed(error.to_string()),
            }
            draw = true;
        }
        if draw {
            terminal.draw(|frame| view::draw(frame, screen))?;
            draw = false;
        }
        if !event::poll(TICK)? {
            continue;
        }
        draw = true;
        match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => match screen.key(key) {
                Action::Leave => break,
                Action::Ask => due = Instant::now(),
                Action::None => {}
            },
            _ => {}
        }
    }
    Ok(())
}

type Asked = crate::record::history::table::Ask;
type Answer = Result<(Asked, Table), ClientError>;

/// Asks in the background, one question at a time.
struct Asker<'a> {
    runtime: &'a Runtime,
    client: Arc<Client>,
    busy: Arc<AtomicBool>,
    tell: SyncSender<Answer>,
    told: Receiver<Answer>,
}

impl<'a> Asker<'a> {
    fn new(runtime: &'a Runtime, client: Arc<Client>) -> Self {
        let (tell, told) = sync_channel(4);
        Self { runtime, client, busy: Arc::default(), tell, told }
    }

    fn ask(&self, screen: &Screen) {
        if self.busy.swap(true, Ordering::Relaxed) {
            return;
        }
        let (client, busy, tell) = (Arc::clone(&self.client), Arc::clone(&self.busy), self.tell.clone());
        let ask = screen.ask.clone();
        self.runtime.spawn(async move {
            let answer = client.table(&ask).await.map(|table| (ask, table));
            busy.store(false, Ordering::Relaxed);
            // A full channel means that nobody looks; the next answer is newer.
            let _ = tell.try_send(answer);
        });
    }

    fn answer(&self) -> Option<Answer> {
        self.told.try_recv().ok()
    }
}

/// Set by SIGTERM and SIGHUP (the line is gone), so that the terminal is set back.
fn stop_signals(runtime: &Runtime) -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let _inside = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::hangup()] {
        let (mut signals, stop) = (signal(kind)?, Arc::clone(&stop));
        runtime.spawn(async move {
            signals.recv().await;
            stop.store(true, Ordering::Relaxed);
        });
    }
    Ok(stop)
}

/// A closed pipe (`| head`) is the reader's wish, not a failure.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
