//! Draws the screen: which page, what where, in which colour.
//!
//! At 80 columns a stream has what one needs to see who holds it up; wider screens add its session,
//! its position, its clients and more of its channel.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Sparkline, Table, TableState};

use super::app::{App, Page};
use super::model::{AgentRow, Kind, Model, StreamRow};
use crate::text::{bytes_text, duration_text, thousands};

/// Cells of the bar that shows how much of a window is in use.
const BAR_WIDTH: usize = 8;
/// Columns from which on a stream's session and position are shown.
const WIDE: u16 = 130;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let [title, summary, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_title(frame, app, title);
    draw_summary(frame, app.model(), summary);
    match app.page {
        Page::List => draw_list(frame, app, body),
        Page::Stream(_) => draw_stream(frame, app, body),
        Page::Sockets => draw_sockets(frame, app.model(), body),
        Page::Help => draw_help(frame, body),
    }
    draw_keys(frame, app, keys);
}

fn draw_title(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let model = app.model();
    let style = Style::new().fg(Color::White).bg(Color::DarkGray);
    let clock = model.time.get(11..19).unwrap_or_default();
    let state = if app.is_paused { "PAUSED " } else { "" };
    let right = format!(" {state}{clock} UTC ");
    let width = usize::from(area.width).saturating_sub(right.len());
    let left = format!(
        " aileron top  {}  pid {} {} {}",
        model.directory, model.pid, model.version, model.threading
    );
    let left = format!("{:width$.width$}", left);
    let line = Line::from(vec![Span::raw(left), Span::styled(right, BOLD)]);
    frame.render_widget(Paragraph::new(line).style(style), area);
}

fn draw_summary(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let heartbeat = match model.heartbeat_age_ms {
        Some(age) if age < 5_000 => Span::raw(format!("{age} ms")),
        Some(age) => alarm(format!("{age} ms")),
        None => alarm("shut down".to_owned()),
    };
    let errors = match model.errors {
        0 => Span::raw("0"),
        errors => alarm(errors.to_string()),
    };
    let traffic = &model.traffic;
    // The sum of nothing would be the negative zero.
    let drops = model.sockets.iter().map(|s| s.drops_per_second);
    let drops = drops.fold(0.0, |sum, drops| sum + drops);
    let mut first = vec![
        Span::styled(" heartbeat ", DIM),
        heartbeat,
        Span::styled("  clients ", DIM),
        Span::raw(model.clients.to_string()),
        Span::styled("  errors ", DIM),
        errors,
        Span::styled("  out ", DIM),
        Span::raw(rate_text(traffic.bytes_sent)),
        Span::styled("  in ", DIM),
        Span::raw(rate_text(traffic.bytes_received)),
    ];
    let mut second = vec![Span::styled(" per second: ", DIM)];
    for (name, value, is_bad) in [
        ("NAKs out ", traffic.naks_sent, true),
        ("  in ", traffic.naks_received, true),
        ("  resends ", traffic.retransmits, true),
        ("  short sends ", traffic.short_sends, true),
        ("  drops ", drops, true),
        ("  invalid ", traffic.invalid, true),
    ] {
        second.push(Span::styled(name, DIM));
        let text = count_text(value);
        second.push(if is_bad && value > 0.0 {
            warning(text)
        } else {
            Span::raw(text)
        });
    }
    let is_wide = area.width >= WIDE;
    let mut third = Vec::new();
    for agent in &model.agents {
        third.extend(agent_spans(agent, is_wide));
    }
    if is_wide && !model.last_error.is_empty() {
        first.push(Span::styled("  last: ", DIM));
        first.push(Span::raw(model.last_error.clone()));
    }
    let lines = vec![Line::from(first), Line::from(second), Line::from(third)];
    frame.render_widget(Paragraph::new(lines), area);
}

fn agent_spans(agent: &AgentRow, is_wide: bool) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(format!(" {} ", agent.name), DIM)];
    if let Some(cpu) = agent.cpu {
        let name = if is_wide { "cpu " } else { "" };
        spans.push(Span::raw(format!("{name}{:.0}% ", cpu * 100.0)));
    }
    if let Some(busy) = agent.busy.filter(|_| is_wide) {
        spans.push(Span::raw(format!("busy {:.0}% ", busy * 100.0)));
    }
    let max = format!("max {} ", duration_text(agent.max_cycle_ns));
    spans.push(if agent.long_cycles > 0 {
        warning(max)
    } else {
        Span::raw(max)
    });
    spans
}

fn draw_list(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let is_wide = area.width >= WIDE;
    let mut widths = vec![Constraint::Length(4), Constraint::Length(10)];
    if is_wide {
        widths.push(Constraint::Length(11));
        widths.push(Constraint::Length(18));
    }
    widths.push(Constraint::Length(11));
    widths.push(Constraint::Length(13));
    widths.push(Constraint::Length(6));
    widths.push(Constraint::Length(15));
    if is_wide {
        widths.push(Constraint::Length(16));
    }
    widths.push(Constraint::Min(8));
    let mut titles = vec!["", "stream"];
    if is_wide {
        titles.extend(["session", "position"]);
    }
    titles.extend(["rate", "window used", "NAK/s", "limited by"]);
    if is_wide {
        titles.push("client");
    }
    titles.push("channel");
    let sorted = app.order.name();
    let header = titles.into_iter().map(|title| {
        let is_sorted = match title {
            "window used" => sorted == "used",
            "NAK/s" => sorted == "naks",
            title => title == sorted,
        };
        let mark = match (is_sorted, app.is_reversed) {
            (false, _) => "",
            (true, false) => "\u{25be}",
            (true, true) => "\u{25b4}",
        };
        Cell::from(format!("{title}{mark}"))
    });
    let header = Row::new(header).style(Style::new().fg(Color::Cyan));
    // Only what can be seen is formatted, whatever the number of streams.
    let visible = usize::from(area.height.saturating_sub(1)).max(1);
    let selected = app.selected_index();
    let first = selected.map_or(0, |at| at.saturating_sub(visible - 1));
    let rows = app.rows().skip(first).take(visible);
    let table = Table::new(rows.map(|row| list_row(row, is_wide)), widths)
        .header(header)
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(selected.map(|at| at - first));
    frame.render_stateful_widget(table, area, &mut state);
    if app.rows().len() == 0 {
        let text = if app.model().streams.is_empty() {
            "no streams yet"
        } else {
            "no stream matches; Esc clears the filter"
        };
        let below = Rect {
            y: area.y + 1,
            height: area.height.min(2) - 1,
            ..area
        };
        frame.render_widget(Paragraph::new(Span::styled(format!(" {text}"), DIM)), below);
    }
}

fn list_row(row: &StreamRow, is_wide: bool) -> Row<'static> {
    let kind = match row.kind {
        Kind::Publication => Color::Green,
        Kind::Image => Color::Blue,
        Kind::Ipc => Color::Magenta,
    };
    let mut cells = vec![
        Cell::from(Span::styled(
            format!(" {}", row.kind.name()),
            Style::new().fg(kind),
        )),
        Cell::from(row.stream.to_string()),
    ];
    if is_wide {
        cells.push(Cell::from(row.session.to_string()));
        cells.push(Cell::from(thousands(row.position)));
    }
    cells.push(Cell::from(rate_text(row.rate)));
    cells.push(Cell::from(bar(row)));
    let naks = count_text(row.naks);
    cells.push(Cell::from(if row.naks > 0.0 {
        warning(naks)
    } else {
        Span::raw(naks)
    }));
    cells.push(Cell::from(limiter(row)));
    if is_wide {
        cells.push(Cell::from(row.client.clone()));
    }
    cells.push(Cell::from(short_channel(&row.channel)));
    Row::new(cells)
}

/// How much of the window is in use, and the share in per cent.
fn bar(row: &StreamRow) -> Line<'static> {
    let share = row.share();
    let full = filled(share, BAR_WIDTH);
    let color = match share {
        share if share >= 0.9 => Color::Red,
        share if share >= 0.5 => Color::Yellow,
        _ => Color::Green,
    };
    Line::from(vec![
        Span::styled("\u{2588}".repeat(full), Style::new().fg(color)),
        Span::styled("\u{2591}".repeat(BAR_WIDTH - full), DIM),
        Span::raw(format!("{:>4.0}%", share * 100.0)),
    ])
}

/// Cells of a bar that are full; something is never nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of few cells"
)]
fn filled(share: f64, width: usize) -> usize {
    let cells = (share * width as f64).round() as usize;
    if share > 0.0 {
        cells.clamp(1, width)
    } else {
        0
    }
}

fn limiter(row: &StreamRow) -> Span<'static> {
    let text = row.limiter.party.clone();
    if row.limiter.holds_up() {
        Span::styled(
            text,
            Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        )
    } else {
        Span::styled(text, DIM)
    }
}

fn draw_stream(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(row) = app.opened() else {
        let text = " this stream is gone; Esc goes back to the list";
        frame.render_widget(Paragraph::new(Span::styled(text, DIM)), area);
        return;
    };
    let stages = u16::try_from(row.stages.len()).unwrap_or(u16::MAX);
    let [head, way, rest] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(stages.saturating_add(1).min(area.height / 3)),
        Constraint::Min(3),
    ])
    .areas(area);
    draw_stream_head(frame, row, head);
    draw_way(frame, row, way);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(rest);
    let charts = Layout::vertical([Constraint::Ratio(1, 3); 3]).split(left);
    let latest = row.rate_history.last().copied().unwrap_or(0);
    let rate = format!(" rate {} ", rate_text(f64_of(latest)));
    draw_chart(
        frame,
        &rate,
        &row.rate_history,
        None,
        Color::Green,
        charts[0],
    );
    let used = format!(
        " window used {:.0}% of {} ",
        row.share() * 100.0,
        bytes_text(row.window)
    );
    draw_chart(
        frame,
        &used,
        &row.used_history,
        Some(100),
        Color::Yellow,
        charts[1],
    );
    let naks = format!(" NAKs {} per second ", count_text(row.naks));
    draw_chart(frame, &naks, &row.nak_history, None, Color::Red, charts[2]);
    let facts = row.facts.iter().flat_map(|(name, value)| {
        let wide = usize::from(right.width).saturating_sub(4);
        let one = format!("{name}: {value}");
        if one.len() <= wide {
            return vec![Line::from(vec![
                Span::styled(format!("{name}: "), DIM),
                Span::raw(value.clone()),
            ])];
        }
        let mut lines = vec![Line::from(Span::styled(format!("{name}:"), DIM))];
        let chars: Vec<char> = value.chars().collect();
        let parts = chars.chunks(wide.saturating_sub(2).max(8));
        let indented = |part: &[char]| Line::from(format!("  {}", part.iter().collect::<String>()));
        lines.extend(parts.map(indented));
        lines
    });
    let facts = Paragraph::new(facts.collect::<Vec<_>>())
        .block(Block::default().borders(Borders::ALL).title(" facts "));
    frame.render_widget(facts, right);
}

fn draw_stream_head(frame: &mut Frame<'_>, row: &StreamRow, area: Rect) {
    let what = match row.kind {
        Kind::Publication => "publication",
        Kind::Image => "image",
        Kind::Ipc => "IPC publication",
    };
    let first = Line::from(vec![
        Span::styled(format!(" {what} "), BOLD),
        Span::raw(format!(
            "stream {} session {} id {}",
            row.stream, row.session, row.id
        )),
        Span::styled("  client ", DIM),
        Span::raw(row.client.clone()),
    ]);
    let second = Line::from(vec![
        Span::styled(" limited by ", DIM),
        limiter(row),
        Span::raw("  "),
        Span::styled("window ", DIM),
        Span::raw(""),
    ]);
    let mut second = second;
    second.spans.extend(bar(row).spans);
    frame.render_widget(Paragraph::new(vec![first, second]), area);
}

/// The stations of a stream, with what lies between one and the next.
fn draw_way(frame: &mut Frame<'_>, row: &StreamRow, area: Rect) {
    let first = row.stages.first().map_or(0, |stage| stage.position);
    let lines = row.stages.iter().enumerate().map(|(index, stage)| {
        let behind = first.saturating_sub(stage.position);
        let mark = if index == 0 { "\u{25b6}" } else { "\u{2514}" };
        let lag = if index == 0 || behind == 0 {
            String::new()
        } else {
            format!("{} behind  ", bytes_text(behind))
        };
        Line::from(vec![
            Span::raw(format!("  {mark} {:<24.24}", stage.name)),
            Span::raw(format!("{:>22}  ", thousands(stage.position))),
            Span::styled(lag, Style::new().fg(Color::Yellow)),
            Span::styled(stage.note.clone(), DIM),
        ])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn draw_chart(
    frame: &mut Frame<'_>,
    title: &str,
    history: &[u64],
    max: Option<u64>,
    color: Color,
    area: Rect,
) {
    let block = Block::default()
        .borders(Borders::ALL)
        .title(title.to_owned());
    let width = usize::from(area.width.saturating_sub(2));
    let from = history.len().saturating_sub(width);
    let max = max
        .or_else(|| history.iter().copied().max())
        .unwrap_or(1)
        .max(1);
    let chart = Sparkline::default()
        .block(block)
        .data(&history[from..])
        .max(max)
        .style(Style::new().fg(color));
    frame.render_widget(chart, area);
}

fn draw_sockets(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let header = ["socket", "to receive", "to send", "drops", "drops/s"];
    let header = Row::new(header).style(Style::new().fg(Color::Cyan));
    let rows = model.sockets.iter().map(|socket| {
        let drops = thousands(i64::try_from(socket.drops).unwrap_or(i64::MAX));
        let style = if socket.drops_per_second > 0.0 {
            Style::new().fg(Color::Red)
        } else {
            Style::new()
        };
        Row::new([
            format!(" {}", socket.address),
            bytes_text(i64::try_from(socket.receive_queue).unwrap_or(i64::MAX)),
            bytes_text(i64::try_from(socket.send_queue).unwrap_or(i64::MAX)),
            drops,
            count_text(socket.drops_per_second),
        ])
        .style(style)
    });
    let widths = [
        Constraint::Min(24),
        Constraint::Length(12),
        Constraint::Length(12),
        Constraint::Length(14),
        Constraint::Length(10),
    ];
    frame.render_widget(Table::new(rows, widths).header(header), area);
    if model.sockets.is_empty() {
        let text = " no socket of this driver is seen here: it has none, or another network";
        let below = Rect {
            y: area.y + 1,
            height: area.height.min(2) - 1,
            ..area
        };
        frame.render_widget(Paragraph::new(Span::styled(text, DIM)), below);
    }
}

const HELP: &[(&str, &str)] = &[
    ("up, down, j, k, PgUp, PgDn, g, G", "select a stream"),
    ("Enter", "its page: the way of its bytes, charts, facts"),
    ("Esc", "back; on the list: clear the filter, or quit"),
    ("s, r", "order by the next column, turn the order around"),
    (
        "/",
        "filter by channel, stream, session, kind or limiting party",
    ),
    ("t", "only publications, only images, only IPC, all"),
    ("u", "UDP sockets with queues and drops"),
    ("space", "hold the screen"),
    ("?", "this page"),
    ("q", "quit"),
];

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let mut lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![
                Span::styled(format!(" {keys:<34}"), Style::new().fg(Color::Cyan)),
                Span::raw(*what),
            ])
        })
        .collect();
    lines.push(Line::default());
    for text in [
        " window used  how much of what it may have on the way a stream has on the way",
        " limited by   who would have to be faster: publisher or idle mean that nobody is",
    ] {
        lines.push(Line::from(Span::styled(text, DIM)));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_keys(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let style = Style::new().fg(Color::White).bg(Color::DarkGray);
    if app.is_typing {
        let text = format!(" filter: {}_   Enter keeps it, Esc clears it", app.filter);
        frame.render_widget(Paragraph::new(text).style(style), area);
        return;
    }
    let shown = app.rows().len();
    let all = app.model().streams.len();
    let mut right = if shown == all {
        format!("{all} streams ")
    } else {
        format!("{shown} of {all} streams ")
    };
    if !app.filter.is_empty() {
        right = format!("filter '{}'  {right}", app.filter);
    }
    let left = match app.page {
        Page::List => " q quit  Enter open  s order  / filter  ? help",
        Page::Stream(_) => " Esc back  j k next  space hold  ? help  q quit",
        Page::Sockets | Page::Help => " Esc back  q quit",
    };
    let width = usize::from(area.width).saturating_sub(right.chars().count());
    // Where there is no room for both, the keys give way: `?` lists them.
    let line = format!("{left:width$.width$}{right}");
    frame.render_widget(Paragraph::new(line).style(style), area);
}

/// What distinguishes a channel: without what all of its kind begin with.
fn short_channel(channel: &str) -> String {
    let rest = channel.strip_prefix("aeron:udp?").unwrap_or(channel);
    rest.replacen("endpoint=", "", 1)
}

fn alarm(text: String) -> Span<'static> {
    Span::styled(
        text,
        Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    )
}

fn warning(text: String) -> Span<'static> {
    Span::styled(text, Style::new().fg(Color::Yellow))
}

/// Bytes per second.
fn rate_text(rate: f64) -> String {
    let units = [(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")];
    for (unit, name) in units {
        if rate >= unit {
            return format!("{:.1} {name}", rate / unit);
        }
    }
    format!("{rate:.0} B/s")
}

/// Events per second.
fn count_text(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.1}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0}k", rate / 1e3),
        rate if rate >= 10.0 || rate == 0.0 => format!("{rate:.0}"),
        rate => format!("{rate:.1}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
const fn f64_of(value: u64) -> f64 {
    value as f64
}
