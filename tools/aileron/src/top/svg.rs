//! A screen as a picture.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Size of a cell in units of the picture.
const CELL: (u16, u16) = (8, 17);
/// Margin around the screen.
const MARGIN: u16 = 8;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d4d7dd";

/// The SVG of a screen: a rectangle per run of cells with a background, a text per run of cells
/// that look alike.
pub(super) fn render(screen: &Buffer) -> String {
    let (columns, rows) = (screen.area.width, screen.area.height);
    let width = u32::from(columns) * u32::from(CELL.0) + 2 * u32::from(MARGIN);
    let height = u32::from(rows) * u32::from(CELL.1) + 2 * u32::from(MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, \
         monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (y, cells) in (0..rows).zip(screen.content.chunks(usize::from(columns.max(1)))) {
        let mut x = 0;
        while x < cells.len() {
            let look = Look::of(&cells[x]);
            let run = cells[x..]
                .iter()
                .take_while(|cell| Look::of(cell) == look)
                .count();
            let text: String = cells[x..x + run].iter().map(Cell::symbol).collect();
            push_run(&mut svg, (x, y), run, look, &text);
            x += run;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// How a cell looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    foreground: &'static str,
    background: Option<&'static str>,
    is_bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let foreground = color(cell.fg).unwrap_or(FOREGROUND);
        let background = color(cell.bg);
        let is_bold = cell.modifier.contains(Modifier::BOLD);
        if cell.modifier.contains(Modifier::REVERSED) {
            return Self {
                foreground: background.unwrap_or(BACKGROUND),
                background: Some(foreground),
                is_bold,
            };
        }
        let is_dim = cell.modifier.contains(Modifier::DIM) && cell.fg == Color::Reset;
        Self {
            foreground: if is_dim { "#7d828c" } else { foreground },
            background,
            is_bold,
        }
    }
}

fn push_run(svg: &mut String, (x, y): (usize, u16), run: usize, look: Look, text: &str) {
    let left = x * usize::from(CELL.0) + usize::from(MARGIN);
    let top = y * CELL.1 + MARGIN;
    let width = run * usize::from(CELL.0);
    if let Some(background) = look.background {
        let height = CELL.1;
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
             fill=\"{background}\"/>"
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let fill = look.foreground;
    let baseline = top + 13;
    let _ = write!(
        svg,
        "<text x=\"{left}\" y=\"{baseline}\" textLength=\"{width}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{fill}\"{weight}>"
    );
    for c in text.chars() {
        match c {
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            '&' => svg.push_str("&amp;"),
            c if c.is_control() => svg.push(' '),
            c => svg.push(c),
        }
    }
    svg.push_str("</text>\n");
}

const fn color(color: Color) -> Option<&'static str> {
    Some(match color {
        Color::Black => "#16181d",
        Color::Red | Color::LightRed => "#f2777a",
        Color::Green | Color::LightGreen => "#8bc98b",
        Color::Yellow | Color::LightYellow => "#f0c674",
        Color::Blue | Color::LightBlue => "#7aa6da",
        Color::Magenta | Color::LightMagenta => "#c397d8",
        Color::Cyan | Color::LightCyan => "#70c0ba",
        Color::Gray => "#aab0bb",
        Color::DarkGray => "#3a3f4a",
        Color::White => "#ffffff",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}
