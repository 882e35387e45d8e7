//! Screens, cell by cell, and what keys do to them.

use std::path::Path;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{App, Order, Outcome, Page};
use super::model::{Kind, Model, StreamRow};
use super::{draw, fixture, parse_size, svg, text_of};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

fn app() -> App {
    let mut app = App::new("", Order::Rate);
    app.update(fixture::model());
    app
}

fn press(app: &mut App, codes: &[KeyCode]) -> Outcome {
    let keys = codes
        .iter()
        .map(|code| KeyEvent::new(*code, KeyModifiers::NONE));
    keys.map(|key| app.on_key(key)).last().expect("a key")
}

fn screen(app: &App, size: (u16, u16)) -> String {
    text_of(&draw(app, size).expect("a screen"))
}

/// Compares with the screen on file. With `AILERON_WRITE_DOCS` set it is written instead.
fn check(name: &str, app: &App) {
    for (columns, rows) in SIZES {
        let file = format!("src/top/screens/{name}-{columns}x{rows}.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let now = screen(app, (columns, rows));
        if std::env::var_os("AILERON_WRITE_DOCS").is_some() {
            std::fs::write(&path, now).expect("writable");
            continue;
        }
        let expected = std::fs::read_to_string(&path).expect("on file");
        assert!(now == expected, "{} differs:\n{now}", path.display());
    }
}

#[test]
fn pages_look_as_on_file() {
    let mut app = app();
    check("list", &app);
    press(&mut app, &[KeyCode::Enter]);
    check("stream", &app);
    press(&mut app, &[KeyCode::Esc, KeyCode::Char('u')]);
    check("sockets", &app);
    press(&mut app, &[KeyCode::Char('?')]);
    check("help", &app);
}

#[test]
fn order_follows_the_column_and_can_be_turned() {
    let mut app = app();
    let ids = |app: &App| app.rows().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(&app), [7, 12, 9], "the fastest first");
    press(&mut app, &[KeyCode::Char('s'), KeyCode::Char('s')]);
    assert_eq!((app.order, ids(&app)), (Order::Naks, vec![12, 7, 9]));
    press(&mut app, &[KeyCode::Char('s'), KeyCode::Char('r')]);
    assert_eq!(
        (app.order, ids(&app)),
        (Order::Stream, vec![12, 7, 9]),
        "the highest first"
    );
    press(&mut app, &[KeyCode::Char('s'), KeyCode::Char('r')]);
    assert_eq!(app.order, Order::Channel);
    press(&mut app, &[KeyCode::Char('s')]);
    assert_eq!(app.order, Order::Rate, "around");
}

#[test]
fn filter_is_typed_kept_and_cleared() {
    let mut app = app();
    press(&mut app, &[KeyCode::Char('/')]);
    for c in "slow".chars() {
        press(&mut app, &[KeyCode::Char(c)]);
    }
    assert!(screen(&app, (80, 24)).contains("filter: slow_"));
    press(&mut app, &[KeyCode::Enter]);
    assert_eq!(app.rows().map(|row| row.id).collect::<Vec<_>>(), [12]);
    assert!(screen(&app, (200, 50)).contains("1 of 3 streams"));
    assert_eq!(
        press(&mut app, &[KeyCode::Esc]),
        Outcome::Draw,
        "the filter goes first"
    );
    assert_eq!(app.rows().len(), 3);
    assert_eq!(press(&mut app, &[KeyCode::Esc]), Outcome::Quit);
    press(&mut app, &[KeyCode::Char('t'), KeyCode::Char('t')]);
    assert_eq!((app.kind, app.rows().len()), (Some(Kind::Image), 1));
    let mut none = App::new("nothing has this", Order::Rate);
    none.update(fixture::model());
    assert!(screen(&none, (80, 24)).contains("no stream matches"));
}

#[test]
fn selection_stays_with_its_stream() {
    let mut app = app();
    press(&mut app, &[KeyCode::Down, KeyCode::Down]);
    assert_eq!(app.selected_index(), Some(1));
    let mut model = fixture::model();
    model.streams[1].rate = 1e9;
    app.update(model);
    assert_eq!(
        app.selected_index(),
        Some(0),
        "it moved up and stays selected"
    );
    press(&mut app, &[KeyCode::Enter]);
    assert_eq!(app.page, Page::Stream(12));
    press(&mut app, &[KeyCode::Down]);
    assert_eq!(app.page, Page::Stream(7));
    let mut model = fixture::model();
    model.streams.retain(|row| row.id != 7);
    app.update(model);
    assert!(screen(&app, (80, 24)).contains("this stream is gone"));
    press(&mut app, &[KeyCode::Esc, KeyCode::End]);
    assert_eq!(app.selected_index(), Some(1));
    press(&mut app, &[KeyCode::Home, KeyCode::Up]);
    assert_eq!(app.selected_index(), Some(0));
}

#[test]
fn held_screen_does_not_change() {
    let mut app = app();
    press(&mut app, &[KeyCode::Char(' ')]);
    let held = screen(&app, (80, 24));
    app.update(Model::default());
    assert_eq!(screen(&app, (80, 24)), held);
    press(&mut app, &[KeyCode::Char(' ')]);
    app.update(Model::default());
    assert!(screen(&app, (80, 24)).contains("no streams yet"));
    assert_eq!(press(&mut app, &[KeyCode::Char('q')]), Outcome::Quit);
}

#[test]
fn selection_far_down_a_long_list_is_on_the_screen() {
    let mut app = App::new("", Order::Stream);
    let mut model = fixture::model();
    let row = model.streams[0].clone();
    model.streams = (0..1000)
        .map(|n| StreamRow {
            id: i64::from(n),
            stream: n,
            ..row.clone()
        })
        .collect();
    app.update(model);
    press(&mut app, &[KeyCode::End]);
    assert!(screen(&app, (80, 24)).contains(" pub 999 "));
    press(&mut app, &[KeyCode::PageUp]);
    assert!(screen(&app, (80, 24)).contains(" pub 989 "));
}

#[test]
fn no_size_and_no_key_is_too_odd() {
    let mut app = app();
    for code in [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Char('u'),
        KeyCode::Char('?'),
    ] {
        for size in [(1, 1), (3, 2), (40, 5), (80, 6), (500, 300)] {
            let _ = screen(&app, size);
        }
        press(&mut app, &[code]);
    }
    assert_eq!(press(&mut app, &[KeyCode::F(5)]), Outcome::Nothing);
    assert!(parse_size("80x24").is_ok());
    assert!(parse_size("8x4").is_err() && parse_size("80").is_err() && parse_size("ax2").is_err());
}

#[test]
fn picture_is_well_formed_and_shows_the_same_characters() {
    let app = app();
    let picture = svg::render(&draw(&app, (80, 24)).expect("a screen"));
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert_eq!(
        picture.matches("<text ").count(),
        picture.matches("</text>").count()
    );
    assert!(picture.contains("flow control") && picture.contains("/dev/shm/aeron-me"));
    let rest = picture
        .replace("&lt;", "")
        .replace("&gt;", "")
        .replace("&amp;", "");
    assert!(!rest.contains('&'), "what has a meaning in XML is escaped");
}

/// The pictures of the book are drawn as text and made by the same code. With `AILERON_WRITE_DOCS`
/// set they are written instead of compared.
#[test]
fn pictures_of_the_book_are_up_to_date() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book");
    let mut count = 0;
    for entry in std::fs::read_dir(book.join("pictures")).expect("drawings") {
        let path = entry.expect("an entry").path();
        let drawing = std::fs::read_to_string(&path).expect("text");
        let now = svg::render(&buffer_of(&drawing));
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        let picture = book.join("src/pictures").join(format!("{name}.svg"));
        count += 1;
        if std::env::var_os("AILERON_WRITE_DOCS").is_some() {
            std::fs::write(&picture, now).expect("writable");
            continue;
        }
        let on_file = std::fs::read_to_string(&picture).expect("a picture");
        assert!(
            on_file == now,
            "{} is stale; AILERON_WRITE_DOCS=1 draws it",
            picture.display()
        );
    }
    assert!(count >= 3, "{count} pictures");
}

fn buffer_of(drawing: &str) -> ratatui::buffer::Buffer {
    let lines: Vec<&str> = drawing.lines().collect();
    ratatui::buffer::Buffer::with_lines(lines)
}
