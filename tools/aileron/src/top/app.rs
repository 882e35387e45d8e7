//! What the person at the keyboard made of the streams: order, filter, selection, page.

use std::cmp::Ordering;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Kind, Model, StreamRow};

/// By what streams are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Rate,
    Used,
    Naks,
    Stream,
    Channel,
}

impl Order {
    const ALL: [Self; 5] = [
        Self::Rate,
        Self::Used,
        Self::Naks,
        Self::Stream,
        Self::Channel,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Used => "used",
            Self::Naks => "naks",
            Self::Stream => "stream",
            Self::Channel => "channel",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|order| order.name() == name);
        found.ok_or_else(|| "known columns: rate, used, naks, stream, channel".to_owned())
    }

    fn next(self) -> Self {
        let at = Self::ALL
            .iter()
            .position(|order| *order == self)
            .unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// The greatest figures come first; names and numbers go up.
    fn compare(self, a: &StreamRow, b: &StreamRow) -> Ordering {
        match self {
            Self::Rate => b.rate.total_cmp(&a.rate),
            Self::Used => b.share().total_cmp(&a.share()),
            Self::Naks => b.naks.total_cmp(&a.naks),
            Self::Stream => (a.stream, a.session).cmp(&(b.stream, b.session)),
            Self::Channel => a.channel.cmp(&b.channel),
        }
    }
}

/// What the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// All streams.
    List,
    /// One of them, by its id.
    Stream(i64),
    /// The sockets.
    Sockets,
    /// The keys.
    Help,
}

/// See the module.
#[derive(Debug)]
pub(super) struct App {
    model: Model,
    pub(super) page: Page,
    pub(super) order: Order,
    pub(super) is_reversed: bool,
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    /// Only streams of this kind, if any.
    pub(super) kind: Option<Kind>,
    /// The stream that is selected, by its id: it keeps the selection wherever it moves to.
    selected: Option<i64>,
    /// Places in the model's streams that pass the filter, in order.
    shown: Vec<usize>,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Draw anew.
    Draw,
    /// Nothing.
    Nothing,
    /// End.
    Quit,
}

impl App {
    pub(super) fn new(filter: &str, order: Order) -> Self {
        Self {
            model: Model::default(),
            page: Page::List,
            order,
            is_reversed: false,
            filter: filter.to_owned(),
            is_typing: false,
            is_paused: false,
            kind: None,
            selected: None,
            shown: Vec::new(),
        }
    }

    /// Takes in what was just seen, unless the screen is held.
    pub(super) fn update(&mut self, model: Model) {
        if !self.is_paused {
            self.model = model;
            self.arrange();
        }
    }

    pub(super) const fn model(&self) -> &Model {
        &self.model
    }

    /// The streams that are shown, in order.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = &StreamRow> {
        self.shown.iter().map(|index| &self.model.streams[*index])
    }

    /// Where among the streams shown the selection is.
    pub(super) fn selected_index(&self) -> Option<usize> {
        let selected = self.selected?;
        self.rows().position(|row| row.id == selected)
    }

    /// The stream that has a page of its own.
    pub(super) fn opened(&self) -> Option<&StreamRow> {
        let Page::Stream(id) = self.page else {
            return None;
        };
        self.model.streams.iter().find(|row| row.id == id)
    }

    /// Opens the page of the selected stream, or of the first.
    pub(super) fn open_selected(&mut self) {
        let index = self.selected_index().unwrap_or(0);
        let id = self.rows().nth(index).map(|row| row.id);
        if let Some(id) = id {
            self.selected = Some(id);
            self.page = Page::Stream(id);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys have no meaning here"
    )]
    pub(super) fn on_key(&mut self, key: KeyEvent) -> Outcome {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'd') => Outcome::Quit,
                _ => Outcome::Nothing,
            };
        }
        if self.is_typing {
            return self.on_filter_key(key.code);
        }
        match (key.code, self.page) {
            (KeyCode::Char('q'), _) | (KeyCode::Esc, Page::List) => {
                if key.code == KeyCode::Esc && !self.filter.is_empty() {
                    self.filter.clear();
                    self.arrange();
                    return Outcome::Draw;
                }
                return Outcome::Quit;
            }
            (KeyCode::Esc | KeyCode::Backspace | KeyCode::Left, _) => self.page = Page::List,
            (KeyCode::Char('?' | 'h'), Page::Help) => self.page = Page::List,
            (KeyCode::Char('?' | 'h'), _) => self.page = Page::Help,
            (KeyCode::Char('u'), Page::Sockets) => self.page = Page::List,
            (KeyCode::Char('u'), _) => self.page = Page::Sockets,
            (KeyCode::Char(' ' | 'p'), _) => self.is_paused = !self.is_paused,
            (KeyCode::Char('s'), _) => self.order = self.order.next(),
            (KeyCode::Char('r'), _) => self.is_reversed = !self.is_reversed,
            (KeyCode::Char('k') | KeyCode::Up, _) => self.select_by(-1),
            (KeyCode::Char('j') | KeyCode::Down, _) => self.select_by(1),
            (KeyCode::PageUp, _) => self.select_by(-10),
            (KeyCode::PageDown, _) => self.select_by(10),
            (KeyCode::Home | KeyCode::Char('g'), _) => self.select_by(isize::MIN),
            (KeyCode::End | KeyCode::Char('G'), _) => self.select_by(isize::MAX),
            (KeyCode::Enter | KeyCode::Right, Page::List) => self.open_selected(),
            (KeyCode::Char('/'), _) => {
                self.page = Page::List;
                self.is_typing = true;
            }
            (KeyCode::Char('t'), _) => {
                self.kind = match self.kind {
                    None => Some(Kind::Publication),
                    Some(Kind::Publication) => Some(Kind::Image),
                    Some(Kind::Image) => Some(Kind::Ipc),
                    Some(Kind::Ipc) => None,
                };
            }
            _ => return Outcome::Nothing,
        }
        self.arrange();
        Outcome::Draw
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most keys have no meaning here"
    )]
    fn on_filter_key(&mut self, code: KeyCode) -> Outcome {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if !c.is_control() => self.filter.push(c),
            _ => return Outcome::Nothing,
        }
        self.arrange();
        Outcome::Draw
    }

    /// Moves the selection, and with it the page of a stream.
    fn select_by(&mut self, steps: isize) {
        let Some(last) = self.shown.len().checked_sub(1) else {
            return;
        };
        let to = match self.selected_index() {
            Some(at) => at.saturating_add_signed(steps).min(last),
            None if steps == isize::MAX => last,
            None => 0,
        };
        let id = self.rows().nth(to).map(|row| row.id);
        self.selected = id;
        if let (Page::Stream(_), Some(id)) = (self.page, id) {
            self.page = Page::Stream(id);
        }
    }

    /// Works out which streams are shown, in which order.
    fn arrange(&mut self) {
        let streams = &self.model.streams;
        let wanted = |row: &StreamRow| {
            self.kind.is_none_or(|kind| kind == row.kind)
                && (self.filter.is_empty() || row.matches(&self.filter))
        };
        let mut shown: Vec<usize> = (0..streams.len())
            .filter(|i| wanted(&streams[*i]))
            .collect();
        shown.sort_by(|a, b| {
            let (a, b) = (&streams[*a], &streams[*b]);
            let order = self.order.compare(a, b);
            let order = if self.is_reversed {
                order.reverse()
            } else {
                order
            };
            order.then_with(|| (a.kind, a.stream, a.id).cmp(&(b.kind, b.stream, b.id)))
        });
        self.shown = shown;
    }
}
