//! What a file refers to: paths, `unsafe`, marks of unfinished work. By syntax, so every way to write a `use` counts.

use std::collections::BTreeMap;

use anyhow::Result;
use syn::visit::{self, Visit};

use super::Source;
use super::module::{self, Module};
use super::tokens;

/// What one file says.
#[derive(Debug, Default)]
pub struct SourceFile {
    pub references: Vec<Reference>,
    pub unsafe_code: Vec<Sighting>,
    pub unfinished: Vec<Sighting>,
    /// Modules that it declares under `#[cfg(test)]`.
    pub test_modules: Vec<Module>,
}

/// Something seen on a line.
#[derive(Debug)]
pub struct Sighting {
    pub line: usize,
    pub what: &'static str,
}

/// A path, resolved as far as the file's own imports tell: `crate::…`, `std::…`, or another crate's name. A method
/// call is the path `.name`.
#[derive(Debug)]
pub struct Reference {
    pub path: Vec<String>,
    pub line: usize,
    /// Under `#[cfg(test)]` or in a test.
    pub in_test: bool,
}

impl Reference {
    /// Whether the path begins with one of `prefixes`, written `a::b`.
    pub fn starts_with_any(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| {
            let mut path = self.path.iter();
            prefix.split("::").all(|segment| path.next().is_some_and(|own| own == segment))
        })
    }

    /// Whether this is a call of a method with this name.
    pub fn is_method(&self, name: &str) -> bool {
        matches!(&*self.path, [only] if only.strip_prefix('.') == Some(name))
    }
}

/// Reads one file.
pub fn read(source: &Source) -> Result<SourceFile> {
    let syntax = syn::parse_file(&source.text)?;
    let mut reader = Reader { module: module::of(&source.path), ..Reader::default() };
    reader.visit_file(&syntax);
    reader.resolve_aliases();
    Ok(reader.file)
}

#[derive(Default)]
struct Reader {
    /// Where in the crate the reader is; none for a file outside of `src`.
    module: Option<Module>,
    in_test: bool,
    /// What a name means in this file: the last segment of an import (or its new name) → the whole path.
    aliases: BTreeMap<String, Vec<String>>,
    file: SourceFile,
}

impl Reader {
    fn refer(&mut self, path: Vec<String>, line: usize) {
        let path = self.absolute(path);
        self.file.references.push(Reference { path, line, in_test: self.in_test });
    }

    /// Turns `self::` and `super::` into `crate::…`.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let Some(module) = &self.module else { return path };
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let from_self = path.first().is_some_and(|first| first == "self");
        if supers == 0 && !from_self {
            return path;
        }
        let own = &module.path[..module.path.len().saturating_sub(supers)];
        let rest = path.into_iter().skip(supers.max(1));
        std::iter::once("crate".to_owned()).chain(own.iter().cloned()).chain(rest).collect()
    }

    /// `use std::fs; fs::read(…)`: the second is `std::fs::read`. `core` and `alloc` are `std` by other names.
    fn resolve_aliases(&mut self) {
        for reference in &mut self.file.references {
            if let [first, _, ..] = &*reference.path
                && let Some(whole) = self.aliases.get(first)
                && whole.first() != Some(first)
            {
                reference.path.splice(..1, whole.iter().cloned());
            }
            if let Some(first) = reference.path.first_mut()
                && (first == "core" || first == "alloc")
            {
                *first = "std".to_owned();
            }
        }
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
            syn::UseTree::Glob(glob) => self.refer(before.to_vec(), glob.star_token.span.start().line),
            syn::UseTree::Name(name) if name.ident == "self" => self.bind(None, before.to_vec(), name.ident.span()),
            syn::UseTree::Name(name) => self.bind(None, with(&name.ident), name.ident.span()),
            syn::UseTree::Rename(rename) if rename.ident == "self" => {
                self.bind(Some(&rename.rename), before.to_vec(), rename.ident.span());
            }
            syn::UseTree::Rename(rename) => self.bind(Some(&rename.rename), with(&rename.ident), rename.ident.span()),
        }
    }

    fn bind(&mut self, new_name: Option<&syn::Ident>, path: Vec<String>, span: proc_macro2::Span) {
        let path = self.absolute(path);
        if let Some(name) = new_name.map(ToString::to_string).or_else(|| path.last().cloned()) {
            self.aliases.insert(name, path.clone());
        }
        self.refer(path, span.start().line);
    }

    fn note_unsafe(&mut self, span: proc_macro2::Span) {
        self.file.unsafe_code.push(Sighting { line: span.start().line, what: "unsafe" });
    }

    /// Visits an item with its attributes in force.
    fn within(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test |= attributes.iter().any(is_test_only);
        visit(self);
        self.in_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.within(&item.attrs, |reader| reader.import(&item.tree, &[]));
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let outside = self.module.clone();
        self.module = outside.as_ref().map(|module| module.child(&item.ident.to_string()));
        self.within(&item.attrs, |reader| {
            if item.content.is_none() && reader.in_test {
                reader.file.test_modules.extend(reader.module.clone());
            }
            visit::visit_item_mod(reader, item);
        });
        self.module = outside;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(token) = &item.unsafety {
            self.note_unsafe(token.span);
        }
        self.within(&item.attrs, |reader| visit::visit_item_impl(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.note_unsafe(block.unsafe_token.span);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.refer(segments, line_of(path));
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.refer(vec![format!(".{}", call.method)], call.method.span().start().line);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("ignore") {
            self.file.unfinished.push(Sighting { line: attribute.pound_token.span.start().line, what: "#[ignore]" });
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let line = line_of(&call.path);
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        self.file.unfinished.extend(tokens::unfinished_macro(&name).map(|what| Sighting { line, what }));
        // Macros' arguments are only tokens.
        let seen = tokens::read(call.tokens.clone());
        self.file.unfinished.extend(seen.unfinished);
        seen.unsafe_code.into_iter().for_each(|span| self.note_unsafe(span));
        seen.paths.into_iter().for_each(|(path, line)| self.refer(path, line));
        visit::visit_macro(self, call);
    }
}

fn line_of(path: &syn::Path) -> usize {
    path.segments.first().map_or(0, |first| first.ident.span().start().line)
}

/// `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_test_only(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
    let words = tokens::words(list.tokens.clone());
    list.path.is_ident("cfg") && words.contains("test") && !words.contains("not") && !words.contains("any")
}
