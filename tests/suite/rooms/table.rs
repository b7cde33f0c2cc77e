//! The table of rooms in ARCHITECTURE.md.

use std::fs;

use super::source::root;

const DOCUMENT: &str = "ARCHITECTURE.md";
const HEADER: &str = "| Room | Contains | Imports |";

/// A row.
pub struct Room {
    /// Its path without `src/` and ending, such as `flow` or `error`.
    pub name: String,
    /// Folders with a `/` at the end, or files.
    pub paths: Vec<String>,
    /// What is in it, in a few words.
    pub contains: String,
    /// Names of rooms.
    pub imports: Vec<String>,
}

/// All rooms.
pub struct Table(pub Vec<Room>);

impl Table {
    /// Reads the table; each import must be a room of a row above.
    pub fn read() -> Self {
        let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
        let (_, rows) = text.split_once(HEADER).expect("the table of rooms");
        let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
        let rooms = rows.map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [room, contains, imports] = cells.as_slice() else { panic!("three cells are expected: {row}") };
            let paths = quoted(room);
            let contains = contains.split(';').next().unwrap_or_default().replace('`', "");
            Room { name: name(&paths[0]), paths, contains, imports: quoted(imports) }
        });
        let table = Self(rooms.collect());
        for room in &table.0 {
            let unknown = room.imports.iter().find(|import| table.0.iter().all(|other| other.name != **import));
            assert_eq!(unknown, None, "`{}` imports a room that is not in the table", room.name);
        }
        table
    }

    /// The rooms that have the file: one.
    pub fn rooms_with(&self, file: &str) -> impl Iterator<Item = &Room> {
        let has = move |path: &String| if path.ends_with('/') { file.starts_with(path.as_str()) } else { file == path };
        self.0.iter().filter(move |room| room.paths.iter().any(has))
    }

    /// The rooms whose first path begins with `start`, in levels: each imports only rooms of levels before its own.
    pub fn levels(&self, start: &str) -> Vec<Vec<&Room>> {
        let mut levels: Vec<Vec<&Room>> = Vec::new();
        let mut left: Vec<&Room> = self.0.iter().filter(|room| room.paths[0].starts_with(start)).collect();
        while !left.is_empty() {
            let is_left = |name: &String| left.iter().any(|room| room.name == *name);
            let (next, later): (Vec<&Room>, Vec<&Room>) =
                left.iter().partition(|room| !room.imports.iter().any(is_left));
            let names: Vec<&str> = later.iter().map(|room| room.name.as_str()).collect();
            assert!(!next.is_empty(), "the rooms {} import each other in a circle", names.join(", "));
            levels.push(next);
            left = later;
        }
        levels
    }
}

fn name(path: &str) -> String {
    let path = path.trim_end_matches('/').trim_end_matches(".rs");
    path.trim_start_matches("core/").trim_start_matches("src/").to_owned()
}

/// The texts in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
