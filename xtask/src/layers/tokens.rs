//! What the arguments of macros refer to, where there are only tokens and no syntax.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};

use super::references::Sighting;

/// What was seen among the tokens.
#[derive(Debug, Default)]
pub struct Seen {
    /// Paths of two or more segments, each with its line.
    pub paths: Vec<(Vec<String>, usize)>,
    pub unsafe_code: Vec<Span>,
    pub unfinished: Vec<Sighting>,
}

/// Looks through tokens, groups included.
pub fn read(tokens: TokenStream) -> Seen {
    let mut seen = Seen::default();
    collect(tokens, &mut seen);
    seen
}

/// The macro's name, if it stands for work that is not done.
pub fn unfinished_macro(name: &str) -> Option<&'static str> {
    ["todo!", "unimplemented!"].into_iter().find(|unfinished| unfinished.strip_suffix('!') == Some(name))
}

/// All words among the tokens, groups included.
pub fn words(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => drop(found.insert(word.to_string())),
            TokenTree::Group(group) => found.append(&mut words(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

fn collect(tokens: TokenStream, seen: &mut Seen) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Group(group) => collect(group.stream(), seen),
            TokenTree::Ident(word) if *word == "unsafe" => seen.unsafe_code.push(word.span()),
            TokenTree::Ident(word) => {
                let line = word.span().start().line;
                let mut path = vec![word.to_string()];
                while let Some([a, b, TokenTree::Ident(next)]) = tokens.get(at..at + 3)
                    && is_colon(a)
                    && is_colon(b)
                {
                    path.push(next.to_string());
                    at += 3;
                }
                if tokens.get(at).is_some_and(|next| is_punct(next, '!')) {
                    let name = path.last().map_or("", String::as_str);
                    seen.unfinished.extend(unfinished_macro(name).map(|what| Sighting { line, what }));
                }
                if path.len() > 1 {
                    seen.paths.push((path, line));
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn is_colon(token: &TokenTree) -> bool {
    is_punct(token, ':')
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}
