//! The table of rooms, drawn: each room imports only rooms of rows below its own.

use std::fmt::Write;

use super::table::{Room, Table};

/// What the paths of a frame's rooms begin with, and its title.
const FRAMES: [(&str, &str); 2] = [("src/", "src: the program"), ("core/", "core/src: no I/O, no async, no SDK")];
const ROOM: (usize, usize) = (262, 46);
const GAP: usize = 12;
/// From the top of a frame to its first row.
const TITLE: usize = 32;

const STYLE: &str = "\
    text { font-family: system-ui, sans-serif; fill: #1f2328; }
    .page { fill: #ffffff; } .frame { fill: #f6f8fa; stroke: #d1d9e0; } .room { fill: #ffffff; stroke: #59636e; }
    .title { font-size: 13px; } .name { font-size: 15px; font-weight: 600; } .what { font-size: 11px; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; }
      .page { fill: #0d1117; } .frame { fill: #151b23; stroke: #3d444d; } .room { fill: #0d1117; stroke: #9198a1; }
    }";

pub fn picture(table: &Table) -> String {
    let frames = FRAMES.map(|(start, title)| (title, table.levels(start)));
    let widest = frames.iter().flat_map(|(_, levels)| levels).map(Vec::len).max().unwrap_or_default();
    let width = widest * (ROOM.0 + GAP) + 3 * GAP;
    let (mut body, mut top) = (String::new(), GAP);
    for (title, levels) in &frames {
        let (frame, height) = (width - 2 * GAP, TITLE + levels.len() * (ROOM.1 + GAP));
        writeln!(body, r#"  <rect class="frame" x="{GAP}" y="{top}" width="{frame}" height="{height}" rx="8"/>"#)
            .unwrap();
        writeln!(body, r#"  <text class="title" x="{}" y="{}">{title}</text>"#, 2 * GAP, top + 21).unwrap();
        for (row, rooms) in levels.iter().rev().enumerate() {
            let start = (width + GAP - rooms.len() * (ROOM.0 + GAP)) / 2;
            for (column, room) in rooms.iter().enumerate() {
                draw(&mut body, room, start + column * (ROOM.0 + GAP), top + TITLE + row * (ROOM.1 + GAP));
            }
        }
        top += height + GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {top}\" role=\"img\">\n  \
         <title>Rooms of finops: each room imports only rooms of rows below its own</title>\n  \
         <style>\n{STYLE}\n  </style>\n  <rect class=\"page\" width=\"{width}\" height=\"{top}\"/>\n{body}</svg>\n"
    )
}

fn draw(body: &mut String, room: &Room, x: usize, y: usize) {
    let ((width, height), middle) = (ROOM, x + ROOM.0 / 2);
    let Room { name, contains, .. } = room;
    writeln!(body, r#"  <rect class="room" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>"#).unwrap();
    for (class, y, text) in [("name", y + 19, name), ("what", y + 36, contains)] {
        writeln!(body, r#"  <text class="{class}" x="{middle}" y="{y}" text-anchor="middle">{text}</text>"#).unwrap();
    }
}
