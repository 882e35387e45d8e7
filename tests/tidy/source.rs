//! One source file, read well enough to judge it: comments and literals blanked out, test code
//! told apart, cut into tokens.

use std::path::{Path, PathBuf};

/// A file of the crate.
pub(crate) struct Source {
    /// Relative to the package, with `/` between the parts.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// As long as `text`, with spaces in place of comments and of what is in quotes.
    pub(crate) code: String,
    /// For each line, whether it is compiled for tests only.
    pub(crate) is_test_line: Vec<bool>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let mut is_test_line = vec![false; text.lines().count()];
        for range in test_items(&code) {
            let (first, last) = (line_at(&code, range.start), line_at(&code, range.end - 1));
            is_test_line[first..=last].fill(true);
        }
        let (path, text) = (path.to_owned(), text.to_owned());
        Self {
            path,
            text,
            code,
            is_test_line,
        }
    }

    /// All Rust files below `directory`, by path. Files that only tests compile are marked whole.
    pub(crate) fn read_all(package: &Path, directory: &str) -> Vec<Self> {
        let mut files = Vec::new();
        collect(&package.join(directory), &mut files);
        files.sort();
        let mut sources: Vec<Self> = files
            .iter()
            .map(|file| {
                let text = std::fs::read_to_string(file).expect("a readable source file");
                let path = file.strip_prefix(package).expect("a file of the package");
                let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
                Self::new(&parts.join("/"), &text)
            })
            .collect();
        let test_modules: Vec<String> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
            let is_test = |module: &String| {
                stem.strip_prefix(module.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if test_modules.iter().any(is_test) {
                source.is_test_line.fill(true);
            }
        }
        sources
    }

    /// Where this file's module keeps its children: `src/a` for `src/a.rs` and `src/a/mod.rs`.
    fn children_path(&self) -> String {
        let stem = self.path.trim_end_matches(".rs");
        ["/mod", "/lib", "/main"]
            .iter()
            .find_map(|root| stem.strip_suffix(root))
            .unwrap_or(stem)
            .to_owned()
    }

    /// Modules that this file declares for tests only, as paths without extension.
    fn test_modules(&self) -> Vec<String> {
        let tokens = tokens(&self.code);
        tokens
            .windows(3)
            .filter(|window| window[0].text == "mod" && window[2].text == ";")
            .filter(|window| self.is_test_line[window[1].line])
            .map(|window| format!("{}/{}", self.children_path(), window[1].text))
            .collect()
    }

    /// The module's path within the crate: `driver`, `loss`, `detector`. Empty for the root.
    pub(crate) fn module_path(&self) -> Vec<String> {
        let path = self.children_path();
        path.split('/').skip(1).map(str::to_owned).collect()
    }

    /// Numbered lines of code that is not only for tests, from 0.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .filter(|(line, _)| !self.is_test_line[*line])
    }
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn line_at(code: &str, byte: usize) -> usize {
    code.as_bytes()[..byte]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}

/// Replaces comments and the insides of string and character literals by spaces; line breaks stay.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (keep, end) = match &bytes[at..] {
            [b'/', b'/', ..] => (0, find(bytes, at, b"\n")),
            [b'/', b'*', ..] => (0, end_of_block_comment(bytes, at)),
            [b'"', ..] => (1, end_of_string(bytes, at + 1)),
            [b'r', b'"' | b'#', ..] if !is_in_word(bytes, at) => match raw_string(bytes, at) {
                Some(end) => (1, end),
                None => (1, at + 1),
            },
            [b'\'', b'\\', ..] => (1, find(bytes, at + 3, b"'") + 1),
            [b'\'', rest @ ..] if is_char_literal(rest) => (1, find(bytes, at + 1, b"'") + 1),
            _ => (1, at + 1),
        };
        let end = end.min(bytes.len());
        for byte in &mut out[(at + keep).min(end)..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(needle.len())
        .position(|window| window == needle)
        .map_or(bytes.len(), |offset| from + offset)
}

fn end_of_block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of the raw string that begins at `from`, if one does: `r#name` does not.
fn raw_string(bytes: &[u8], from: usize) -> Option<usize> {
    let hashes = bytes[from + 1..]
        .iter()
        .take_while(|&&byte| byte == b'#')
        .count();
    let quote = from + 1 + hashes;
    (bytes.get(quote) == Some(&b'"')).then(|| {
        let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
        find(bytes, quote + 1, &close) + close.len()
    })
}

/// Whether what follows a quote is one character and another quote; else it is a lifetime.
fn is_char_literal(rest: &[u8]) -> bool {
    let text = std::str::from_utf8(&rest[..rest.len().min(8)]);
    let valid = text.unwrap_or_else(|error| {
        std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default()
    });
    valid.chars().nth(1) == Some('\'')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `at` is inside a word. The prefixes of byte and C strings do not count.
fn is_in_word(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else {
        return false;
    };
    let is_prefix = matches!(bytes[before], b'b' | b'c')
        && before.checked_sub(1).is_none_or(|at| !is_word(bytes[at]));
    is_word(bytes[before]) && !is_prefix
}

/// Byte ranges of items under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = code.as_bytes();
    let mut ranges = Vec::new();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test,"] {
        let mut from = 0;
        while let Some(offset) = code[from..].find(attribute) {
            let start = from + offset;
            let end = end_of_item(bytes, start);
            ranges.push(start..end);
            from = end;
        }
    }
    ranges
}

/// The end of the item whose attributes begin at `from`: its closing brace, or a semicolon before.
fn end_of_item(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut in_attribute) = (0usize, 0usize);
    for (at, &byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'[' | b'(' => in_attribute += 1,
            b']' | b')' => in_attribute = in_attribute.saturating_sub(1),
            b';' if depth == 0 && in_attribute == 0 => return at + 1,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    bytes.len()
}

/// A word, `::`, or any other single character.
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// From 0.
    pub(crate) line: usize,
}

pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (line, mut rest) in code.lines().enumerate() {
        while let Some(first) = rest.chars().next() {
            let length = match rest.find(|c: char| !(c.is_alphanumeric() || c == '_')) {
                Some(0) if rest.starts_with("::") => 2,
                Some(0) => first.len_utf8(),
                Some(length) => length,
                None => rest.len(),
            };
            if !first.is_whitespace() {
                tokens.push(Token {
                    text: &rest[..length],
                    line,
                });
            }
            rest = &rest[length..];
        }
    }
    tokens
}
