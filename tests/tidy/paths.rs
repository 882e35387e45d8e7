//! The paths by which a file names other parts of the crate.

use super::source::{Source, Token, tokens};

/// A path from the crate's root, cut off after two segments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CratePath {
    pub(crate) segments: Vec<String>,
    /// From 0.
    pub(crate) line: usize,
}

/// Every path that begins with `crate` or `super`, trees of `use` spread out. Paths that end at the
/// crate's root, such as in `pub(crate)`, are left away.
pub(crate) fn crate_paths(source: &Source) -> Vec<CratePath> {
    let tokens = tokens(&source.code);
    let mut module = source.module_path();
    let (mut depth, mut inline_modules) = (0usize, Vec::new());
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline_modules.last() == Some(&depth) {
                    inline_modules.pop();
                    module.pop();
                }
            }
            "mod" if text(&tokens, at + 2) == "{" => {
                inline_modules.push(depth);
                module.push(text(&tokens, at + 1).to_owned());
            }
            "crate" | "super" if !text(&tokens, at.wrapping_sub(1)).starts_with("::") => {
                let mut prefix = module.clone();
                let start = at;
                at = resolve_start(&tokens, at, &mut prefix);
                if at > start {
                    at = spread(&tokens, at, &prefix, &mut paths);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// Follows `crate::` or `super::super::` and returns where the rest of the path begins.
fn resolve_start(tokens: &[Token<'_>], mut at: usize, prefix: &mut Vec<String>) -> usize {
    while text(tokens, at + 1) == "::" {
        match text(tokens, at) {
            "crate" => prefix.clear(),
            "super" => drop(prefix.pop()),
            _ => break,
        }
        at += 2;
    }
    at
}

/// Collects what a path, or a tree of them, names; returns where it ends.
fn spread(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<CratePath>,
) -> usize {
    if text(tokens, at) == "{" {
        at += 1;
        while at < tokens.len() && text(tokens, at) != "}" {
            at = spread(tokens, at, prefix, paths);
            while !matches!(text(tokens, at), "," | "{" | "}" | "") {
                at += 1;
            }
            if text(tokens, at) == "," {
                at += 1;
            }
        }
        return at + 1;
    }
    let Some(token) = tokens.get(at) else {
        return at;
    };
    let mut segments = prefix.to_vec();
    if token.text != "self" {
        segments.push(token.text.to_owned());
    }
    if text(tokens, at + 1) == "::" && text(tokens, at + 2) != "<" {
        return spread(tokens, at + 2, &segments, paths);
    }
    segments.truncate(2);
    paths.push(CratePath {
        segments,
        line: token.line,
    });
    at + 1
}
