//! A screen as a picture: lines and blocks are drawn, letters are text.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// A cell, in the picture's units.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 18.0;
/// Around the screen, and its title bar.
const MARGIN: f32 = 16.0;
const BAR: f32 = 34.0;

/// The colours of a picture.
pub struct Paper {
    pub background: &'static str,
    pub text: &'static str,
    /// The terminal's sixteen.
    pub named: fn(Color) -> Option<&'static str>,
}

pub const DARK: Paper = Paper { background: "#0d1117", text: "#e6edf3", named: on_dark };
pub const LIGHT: Paper = Paper { background: "#ffffff", text: "#1f2328", named: on_light };

fn on_dark(colour: Color) -> Option<&'static str> {
    Some(match colour {
        Color::Red => "#e5534b",
        Color::Green => "#57ab5a",
        Color::Yellow => "#c69026",
        Color::Cyan => "#39c5cf",
        Color::LightRed => "#ff938a",
        Color::LightGreen => "#8ddb8c",
        Color::LightYellow => "#f2cc60",
        Color::LightCyan => "#76e3ea",
        _ => return None,
    })
}

fn on_light(colour: Color) -> Option<&'static str> {
    Some(match colour {
        Color::Red => "#cf222e",
        Color::Green => "#116329",
        Color::Blue => "#0969da",
        Color::Magenta => "#8250df",
        _ => return None,
    })
}

fn fill(colour: Color, paper: &Paper) -> String {
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset => paper.text.into(),
        named => (paper.named)(named).unwrap_or_else(|| panic!("no colour for {named:?}")).into(),
    }
}

fn style(cell: &Cell, paper: &Paper) -> String {
    let mut style = format!("fill=\"{}\"", fill(cell.fg, paper));
    if cell.modifier.contains(Modifier::BOLD) {
        style.push_str(" font-weight=\"bold\"");
    }
    if cell.modifier.contains(Modifier::DIM) {
        style.push_str(" opacity=\"0.6\"");
    }
    style
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The picture of a screen in a window of that title.
pub fn draw(buffer: &Buffer, title: &str, paper: &Paper) -> String {
    let (columns, rows) = (f32::from(buffer.area.width), f32::from(buffer.area.height));
    let (width, height) = (columns * WIDTH + 2.0 * MARGIN, rows * HEIGHT + BAR + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         font-family=\"ui-monospace,'JetBrains Mono','SF Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <title>{}</title>\n\
         <rect width=\"{width:.0}\" height=\"{height:.0}\" rx=\"10\" fill=\"{}\"/>\n",
        escaped(title),
        paper.background
    );
    for (place, colour) in ["#ff5f57", "#febc2e", "#28c840"].iter().enumerate() {
        let _ = writeln!(out, "<circle cx=\"{}\" cy=\"17\" r=\"6\" fill=\"{colour}\"/>", 22 + 20 * place);
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"22\" fill=\"{}\" opacity=\"0.6\" text-anchor=\"middle\">{}</text>",
        width / 2.0,
        paper.text,
        escaped(title)
    );
    for row in 0..buffer.area.height {
        draw_row(buffer, row, paper, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_row(buffer: &Buffer, row: u16, paper: &Paper, out: &mut String) {
    let y = BAR + f32::from(row) * HEIGHT;
    let mut column = 0;
    while column < buffer.area.width {
        let cell = &buffer[(column, row)];
        let x = MARGIN + f32::from(column) * WIDTH;
        if cell.modifier.contains(Modifier::REVERSED) {
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{}\"/>",
                fill(cell.fg, paper)
            );
        }
        // What looks the same and stands side by side is one element.
        let same = |other: &Cell| (other.fg, other.modifier) == (cell.fg, cell.modifier);
        let is_line = shape(cell.symbol()).is_some();
        let mut text = String::new();
        let mut cells = 0;
        while column + cells < buffer.area.width {
            let next = &buffer[(column + cells, row)];
            let fits = if is_line { next.symbol() == cell.symbol() } else { shape(next.symbol()).is_none() };
            if !same(next) || !fits {
                break;
            }
            text.push_str(next.symbol());
            cells += u16::try_from(next.symbol().width().max(1)).unwrap_or(1);
        }
        let width = f32::from(cells) * WIDTH;
        if let Some(shape) = shape(cell.symbol()) {
            let colour = style(cell, paper);
            shape.draw(x, y, width, &colour, out);
        } else if !text.trim().is_empty() {
            let blanks = text.chars().take_while(|c| *c == ' ').count() as f32;
            let shown = text.trim();
            let colour = match cell.modifier.contains(Modifier::REVERSED) {
                true => format!("fill=\"{}\" font-weight=\"bold\"", paper.background),
                false => style(cell, paper),
            };
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" {colour} textLength=\"{:.1}\" xml:space=\"preserve\">{}</text>",
                x + blanks * WIDTH,
                y + 13.5,
                shown.width() as f32 * WIDTH,
                escaped(shown)
            );
        }
        column += cells.max(1);
    }
}

/// What is drawn instead of a letter.
#[derive(Clone, Copy)]
enum Shape {
    /// Horizontal: how thick, how dashed, how many.
    Line(f32, &'static str, u8),
    Upright,
    Corner(f32, f32),
    Cross,
    /// So much of the cell from below.
    Block(f32),
}

fn shape(symbol: &str) -> Option<Shape> {
    Some(match symbol {
        "─" => Shape::Line(1.2, "", 1),
        "━" => Shape::Line(5.0, "", 1),
        "═" => Shape::Line(1.2, "", 2),
        "╌" => Shape::Line(2.0, "4.2 4.2", 1),
        "┄" => Shape::Line(1.2, "2.8 2.8", 1),
        "│" => Shape::Upright,
        "┼" => Shape::Cross,
        "╭" => Shape::Corner(1.0, 1.0),
        "╮" => Shape::Corner(-1.0, 1.0),
        "╰" => Shape::Corner(1.0, -1.0),
        "╯" => Shape::Corner(-1.0, -1.0),
        _ => Shape::Block(
            f32::from(u8::try_from("▁▂▃▄▅▆▇█".chars().position(|c| symbol == c.to_string())?).ok()? + 1) / 8.0,
        ),
    })
}

impl Shape {
    fn draw(self, x: f32, y: f32, width: f32, fill: &str, out: &mut String) {
        let stroke = fill.replace("fill=", "stroke=").replace(" font-weight=\"bold\"", "");
        let (middle, centre) = (y + HEIGHT / 2.0, x + WIDTH / 2.0);
        let path = |out: &mut String, d: String, thick: f32, dash: &str| {
            let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
            let _ = writeln!(out, "<path d=\"{d}\" {stroke} stroke-width=\"{thick}\"{dash} fill=\"none\"/>");
        };
        match self {
            Shape::Line(thick, dash, 1) => path(out, format!("M{x:.1} {middle:.1}h{width:.1}"), thick, dash),
            Shape::Line(thick, dash, _) => {
                let (above, below) = (middle - 2.0, middle + 2.0);
                path(out, format!("M{x:.1} {above:.1}h{width:.1}M{x:.1} {below:.1}h{width:.1}"), thick, dash);
            }
            Shape::Upright => path(out, format!("M{centre:.1} {y:.1}v{HEIGHT}"), 1.2, ""),
            Shape::Cross => path(out, format!("M{centre:.1} {y:.1}v{HEIGHT}M{x:.1} {middle:.1}h{WIDTH}"), 1.2, ""),
            Shape::Corner(right, down) => {
                let (to_x, to_y) = (centre + right * WIDTH / 2.0, middle + down * HEIGHT / 2.0);
                path(out, format!("M{to_x:.1} {middle:.1}Q{centre:.1} {middle:.1} {centre:.1} {to_y:.1}"), 1.2, "");
            }
            Shape::Block(share) => {
                let height = HEIGHT * 0.8 * share;
                let top = y + HEIGHT * 0.9 - height;
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" {fill}/>"
                );
            }
        }
    }
}
