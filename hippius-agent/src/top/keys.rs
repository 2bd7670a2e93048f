//! What is on the screen, and what a key makes of it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::record::history::answer::Table;
use crate::record::history::table::{Ask, By, MAX_ROWS, Sort};

/// What a key asks of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing but a new drawing.
    None,
    /// The agent has to be asked again.
    Ask,
    /// The end.
    Leave,
}

/// Everything that is drawn.
#[derive(Debug)]
pub struct Screen {
    /// Which table.
    pub ask: Ask,
    /// The last answer.
    pub table: Table,
    /// Why there was none since.
    pub error: Option<String>,
    /// Row at the top.
    pub first: usize,
    /// Rows that fit; the drawing says so.
    pub height: usize,
    /// No questions are asked.
    pub paused: bool,
    /// A search is typed.
    pub typing: bool,
    /// The keys are explained.
    pub help: bool,
}

impl Screen {
    /// An empty screen.
    pub fn new(by: By, sort: Sort, search: String) -> Self {
        Self {
            ask: Ask { by, sort, search, limit: MAX_ROWS, ..Ask::default() },
            table: Table::default(),
            error: None,
            first: 0,
            height: 10,
            paused: false,
            typing: false,
            help: false,
        }
    }

    /// An answer came.
    pub fn shown(&mut self, table: Table) {
        self.table = table;
        self.error = None;
        self.scroll(0);
    }

    /// No answer came; the rows stay.
    pub fn failed(&mut self, error: String) {
        self.error = Some(error);
    }

    /// What sorts the columns that are there, from left to right.
    pub fn sorts(&self) -> &'static [Sort] {
        use Sort::{
            Age, Failed, FailedTotal, MainAccount, Name, P50, P95, P99, Received, ReceivedTotal, Requests,
            RequestsTotal, Sent, SentTotal, State,
        };
        const COUNTS: [Sort; 5] = [Name, Requests, RequestsTotal, Failed, FailedTotal];
        const ACCOUNTS: [Sort; 9] =
            [Name, Requests, RequestsTotal, Failed, FailedTotal, Received, ReceivedTotal, Sent, SentTotal];
        const PLACES: [Sort; 10] =
            [Name, Requests, RequestsTotal, Failed, FailedTotal, Received, ReceivedTotal, Sent, SentTotal, P95];
        const PEERS: [Sort; 11] =
            [Name, Requests, RequestsTotal, Failed, FailedTotal, Received, ReceivedTotal, Sent, SentTotal, P50, P99];
        const CONNECTIONS: [Sort; 10] =
            [Name, MainAccount, State, Age, Requests, RequestsTotal, Received, ReceivedTotal, Sent, SentTotal];
        match self.ask.by {
            By::Peer => &PEERS,
            By::Connection => &CONNECTIONS,
            By::Operation => &COUNTS,
            By::Account | By::Subaccount => &ACCOUNTS,
            By::Handler | By::Service => &PLACES,
        }
    }

    /// What a key does.
    pub fn key(&mut self, key: KeyEvent) -> Action {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Action::Leave,
            _ if self.typing => return self.typed(key.code),
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            _ if self.help => self.help = false,
            KeyCode::Char('q') => return Action::Leave,
            KeyCode::Esc if self.ask.search.is_empty() => return Action::Leave,
            KeyCode::Esc => {
                self.ask.search.clear();
                return Action::Ask;
            }
            KeyCode::Char('a') => return self.by(By::Account),
            KeyCode::Char('u') => return self.by(By::Subaccount),
            KeyCode::Char('o') => return self.by(By::Operation),
            KeyCode::Char('e') => return self.by(By::Handler),
            KeyCode::Char('s') => return self.by(By::Service),
            KeyCode::Char('l') => return self.by(By::Peer),
            KeyCode::Char('c') => return self.by(By::Connection),
            KeyCode::Tab => return self.by(next(&By::ALL.map(|(_, by)| by), self.ask.by, 1)),
            KeyCode::BackTab => return self.by(next(&By::ALL.map(|(_, by)| by), self.ask.by, -1)),
            KeyCode::Left | KeyCode::Char('<') => return self.sort(-1),
            KeyCode::Right | KeyCode::Char('>') => return self.sort(1),
            KeyCode::Char('r') => {
                self.ask.reverse = !self.ask.reverse;
                return Action::Ask;
            }
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char(' ' | 'p') => {
                self.paused = !self.paused;
                return if self.paused { Action::None } else { Action::Ask };
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::PageDown => self.scroll(self.height as isize),
            KeyCode::PageUp => self.scroll(-(self.height as isize)),
            KeyCode::Home => self.first = 0,
            KeyCode::End => self.scroll(isize::MAX / 2),
            _ => {}
        }
        Action::None
    }

    fn typed(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.ask.search.clear();
            }
            KeyCode::Backspace => drop(self.ask.search.pop()),
            // The agent takes up to 256 bytes.
            KeyCode::Char(character) if self.ask.search.len() < 200 => self.ask.search.push(character),
            _ => return Action::None,
        }
        self.first = 0;
        Action::Ask
    }

    fn by(&mut self, by: By) -> Action {
        self.ask.by = by;
        if !self.sorts().contains(&self.ask.sort) {
            self.ask.sort = Sort::Requests;
        }
        self.first = 0;
        Action::Ask
    }

    fn sort(&mut self, step: isize) -> Action {
        self.ask.sort = next(self.sorts(), self.ask.sort, step);
        self.ask.reverse = false;
        Action::Ask
    }

    fn scroll(&mut self, rows: isize) {
        let last = self.table.rows.len().saturating_sub(self.height);
        self.first = self.first.saturating_add_signed(rows).min(last);
    }
}

fn next<T: Copy + PartialEq>(all: &[T], current: T, step: isize) -> T {
    let at = all.iter().position(|other| *other == current).unwrap_or(0) as isize;
    let at = (at + step).rem_euclid(all.len().max(1) as isize) as usize;
    all.get(at).copied().unwrap_or(current)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::history::answer::Row;

    fn press(screen: &mut Screen, code: KeyCode) -> Action {
        screen.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn letters_choose_rows_and_arrows_the_order() {
        let mut screen = Screen::new(By::Account, Sort::Requests, String::new());
        assert_eq!(press(&mut screen, KeyCode::Char('e')), Action::Ask);
        assert_eq!(press(&mut screen, KeyCode::Left), Action::Ask);
        assert_eq!(screen.ask.sort, Sort::Name);
        press(&mut screen, KeyCode::Left);
        assert_eq!(screen.ask.sort, Sort::P95, "round the end");
        press(&mut screen, KeyCode::Char('o'));
        assert_eq!((screen.ask.by, screen.ask.sort), (By::Operation, Sort::Requests), "operations have no duration");
        press(&mut screen, KeyCode::Tab);
        assert_eq!(screen.ask.by, By::Handler);
        press(&mut screen, KeyCode::Char('r'));
        assert!(screen.ask.reverse);
    }

    #[test]
    fn a_search_is_typed_kept_and_cleared() {
        let mut screen = Screen::new(By::Account, Sort::Requests, String::new());
        for code in [KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Char('x'), KeyCode::Backspace, KeyCode::Enter] {
            assert_ne!(press(&mut screen, code), Action::Leave);
        }
        assert_eq!((&*screen.ask.search, screen.typing), ("q", false));
        assert_eq!(press(&mut screen, KeyCode::Esc), Action::Ask);
        assert_eq!(screen.ask.search, "");
        assert_eq!(press(&mut screen, KeyCode::Esc), Action::Leave);
        press(&mut screen, KeyCode::Char('/'));
        assert_eq!(screen.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Action::Leave);
    }

    #[test]
    fn scrolling_stays_within_the_rows() {
        let mut screen = Screen::new(By::Account, Sort::Requests, String::new());
        screen.shown(Table { rows: vec![Row::default(); 25], ..Table::default() });
        for (code, first) in [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 11),
            (KeyCode::End, 15),
            (KeyCode::Down, 15),
            (KeyCode::PageUp, 5),
            (KeyCode::Home, 0),
        ] {
            press(&mut screen, code);
            assert_eq!(screen.first, first, "{code:?}");
        }
        press(&mut screen, KeyCode::End);
        screen.shown(Table { rows: vec![Row::default(); 12], ..Table::default() });
        assert_eq!(screen.first, 2, "fewer rows came");
        assert_eq!(press(&mut screen, KeyCode::Char('p')), Action::None);
        assert!(screen.paused);
    }
}
