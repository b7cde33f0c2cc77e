//! Which file imports which. A name that a module re-exports counts as a name of the file that defines it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, File, Item, ItemMod, ItemUse, Macro, UseTree, Visibility,
    visit::{self, Visit},
};

/// The crates: their folders, and their names in code.
const CRATES: [(&str, &str); 4] = [
    ("core/src", "finops_core"),
    ("src", "finops"),
    ("emulator/src", "bigquery_emulator"),
    ("generator/src", "billing_exports"),
];

/// A use of something that another file defines.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Import<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// As it is written, with what `use` has shortened.
    pub path: String,
}

/// The crates' files, by path.
pub struct Source {
    files: BTreeMap<String, Module>,
    /// Each module's file, by the module's path from its crate's name on.
    modules: BTreeMap<Vec<String>, String>,
}

/// One file, without its tests.
#[derive(Default)]
struct Module {
    path: Vec<String>,
    /// Names of its items.
    items: BTreeSet<String>,
    /// What `use` brings into it, by its name there.
    aliases: BTreeMap<String, Alias>,
    /// Modules whose public names are all in it.
    globs: Vec<Vec<String>>,
    /// Paths in its code.
    paths: BTreeSet<Vec<String>>,
}

struct Alias {
    path: Vec<String>,
    is_public: bool,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, from the root of the repository on.
pub fn rust_files(folder: &str) -> BTreeSet<String> {
    let (mut folders, mut found): (Vec<PathBuf>, BTreeSet<String>) = (vec![root().join(folder)], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.strip_prefix(root()).unwrap().display().to_string());
            }
        }
    }
    found
}

impl Source {
    pub fn read() -> Self {
        let (mut files, mut modules) = (BTreeMap::new(), BTreeMap::new());
        for (folder, name) in CRATES {
            for file in rust_files(folder) {
                let text = fs::read_to_string(root().join(&file)).unwrap();
                let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
                let inside = file[folder.len() + 1..].trim_end_matches(".rs");
                let path = [name].into_iter().chain(inside.split('/')).filter(|part| !matches!(*part, "mod" | "lib"));
                let path: Vec<String> = path.map(str::to_owned).collect();
                modules.insert(path.clone(), file.clone());
                files.insert(file, Module::new(path, &parsed));
            }
        }
        Self { files, modules }
    }

    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Every import of a file from another.
    pub fn imports(&self) -> BTreeSet<Import<'_>> {
        let mut imports = BTreeSet::new();
        for (from, module) in &self.files {
            // What is brought in counts, used or not; what is handed on counts where it is used.
            let private = module.aliases.values().filter(|alias| !alias.is_public).map(|alias| &alias.path);
            for path in module.paths.iter().chain(private).chain(&module.globs) {
                let Some(path) = self.full_path(module, path, 0) else { continue };
                let to = self.definer(&path, 0).filter(|to| *to != from);
                imports.extend(to.map(|to| Import { from, to, path: path.join("::") }));
            }
        }
        imports
    }

    /// A path of the module's code from its crate's name on; `None` where it is none of the crates'.
    fn full_path(&self, module: &Module, path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let own = &module.path;
        let base = match first.as_str() {
            "crate" => own[..1].to_vec(),
            "self" => own.clone(),
            "super" => {
                let parents = path.iter().take_while(|part| *part == "super").count();
                let base = own[..own.len().checked_sub(parents)?].to_vec();
                return Some([base, path[parents..].to_vec()].concat());
            }
            name if CRATES.iter().any(|(_, known)| *known == name) => vec![first.clone()],
            _ if self.modules.contains_key(&[own.as_slice(), &path[..1]].concat()) => {
                [own.as_slice(), &path[..1]].concat()
            }
            // `use name::name` is of another crate.
            _ => match module.aliases.get(first) {
                Some(alias) if depth < 4 => self.full_path(module, &alias.path, depth + 1)?,
                _ => return None,
            },
        };
        Some([base, rest.to_vec()].concat())
    }

    /// The file that defines what the path names; `None` for a module as such.
    fn definer(&self, path: &[String], depth: usize) -> Option<&String> {
        let (at, file) = (1..=path.len()).rev().find_map(|at| Some((at, self.modules.get(&path[..at])?)))?;
        let module = &self.files[file];
        let name = path.get(at)?;
        if depth < 8 && !module.items.contains(name) {
            let rest = &path[at + 1..];
            if let Some(alias) = module.aliases.get(name) {
                let target = self.full_path(module, &alias.path, 0)?;
                return self.definer(&[target.as_slice(), rest].concat(), depth + 1);
            }
            for glob in &module.globs {
                let Some(target) = self.full_path(module, glob, 0) else { continue };
                let defines = self.modules.get(&target).is_some_and(|file| self.files[file].items.contains(name));
                if defines {
                    return self.definer(&[target.as_slice(), &path[at..]].concat(), depth + 1);
                }
            }
        }
        Some(file)
    }
}

impl Module {
    fn new(path: Vec<String>, file: &File) -> Self {
        let mut module = Self { path, ..Self::default() };
        module.items = file.items.iter().filter_map(name_of).collect();
        module.visit_file(file);
        module
    }

    fn bring_in(&mut self, tree: &UseTree, mut path: Vec<String>, is_public: bool) {
        match tree {
            UseTree::Path(next) => {
                path.push(next.ident.to_string());
                self.bring_in(&next.tree, path, is_public);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.bring_in(tree, path.clone(), is_public)),
            UseTree::Glob(_) => self.globs.push(path),
            UseTree::Name(name) => self.bring_in_as(name.ident.to_string(), name.ident.to_string(), path, is_public),
            UseTree::Rename(rename) => {
                self.bring_in_as(rename.ident.to_string(), rename.rename.to_string(), path, is_public);
            }
        }
    }

    fn bring_in_as(&mut self, name: String, alias: String, mut path: Vec<String>, is_public: bool) {
        let mut alias = alias;
        if name == "self" {
            if alias == "self" {
                alias.clone_from(&path[path.len() - 1]);
            }
        } else {
            path.push(name);
        }
        if alias == "_" {
            alias = path.join("::");
        }
        self.aliases.insert(alias, Alias { path, is_public });
    }

    /// Paths in the arguments of a macro.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.paths.insert(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.paths.insert(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.read_tokens(group.stream());
                    }
                }
            }
        }
        self.paths.insert(path);
    }
}

impl Visit<'_> for Module {
    fn visit_item_mod(&mut self, item: &ItemMod) {
        if !item.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if item.leading_colon.is_none() {
            self.bring_in(&item.tree, Vec::new(), !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &Macro) {
        self.read_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    /// `pub(crate)` is no import.
    fn visit_visibility(&mut self, _: &Visibility) {}
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
