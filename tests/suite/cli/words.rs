//! Plain English: words that are ruled out, and how long sentences are.

/// Words that do not come back, and what to write instead. Case does not count.
const RULED_OUT: [(&str, &str); 23] = [
    ("as it is", "unchanged"),
    ("but for", "except"),
    ("dares", "(rewrite)"),
    ("held", "kept, or loaded"),
    ("leave alone", "keep"),
    ("leaves alone", "keeps"),
    ("left alone", "unchanged"),
    ("lie", "are"),
    ("lies", "is"),
    ("looks", "reads, or checks"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("needs the cloud", "(nothing: it is about the tests)"),
    ("of which", "(rewrite)"),
    ("pillars", "required columns"),
    ("stand", "are"),
    ("stands", "is"),
    ("stood", "was loaded"),
    ("takes it away", "removes it"),
    ("tells", "reports"),
    ("told", "reported"),
    ("whoever", "everyone who"),
];

/// How many words a sentence has on average, at most.
const LONGEST_AVERAGE: usize = 18;

fn words(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_alphanumeric() || "'_-".contains(c);
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words of the text that are ruled out, each with its line and with what to write instead.
pub fn ruled_out(text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines());
    let (numbers, words_of_text): (Vec<usize>, Vec<String>) =
        lines.flat_map(|(number, line)| words(line).map(move |word| (number, word))).unzip();
    let mut found = Vec::new();
    for (phrase, instead) in RULED_OUT {
        let phrase_words: Vec<String> = words(phrase).collect();
        for (at, part) in words_of_text.windows(phrase_words.len()).enumerate() {
            if part == phrase_words {
                found.push((numbers[at], format!("`{phrase}`: write {instead}")));
            }
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(number, found)| format!("line {number}: {found}")).collect()
}

/// What is wrong with paragraphs whose sentences have too many words on average, with the longest sentences.
pub fn too_long<'a>(paragraphs: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut sentences: Vec<(usize, &str)> = Vec::new();
    for paragraph in paragraphs {
        // Not at the dot of `config.toml`.
        let ends = [". ", ".\n", "? ", "?\n", ": \n"];
        let mut rest = paragraph.trim();
        while !rest.is_empty() {
            let end = ends.iter().filter_map(|end| rest.find(end)).min().map_or(rest.len(), |at| at + 1);
            let (sentence, after) = rest.split_at(end);
            sentences.push((words(sentence).count(), sentence));
            rest = after.trim();
        }
    }
    let all: usize = sentences.iter().map(|(count, _)| count).sum();
    sentences.sort_unstable_by(|one, other| other.cmp(one));
    let longest: Vec<String> =
        sentences.iter().take(5).map(|(count, sentence)| format!("{count} words: {sentence}")).collect();
    let is_too_long = all > LONGEST_AVERAGE * sentences.len();
    is_too_long.then(|| {
        format!(
            "{all} words in {} sentences, on average at most {LONGEST_AVERAGE} are allowed; the longest:\n{}",
            sentences.len(),
            longest.join("\n")
        )
    })
}

#[test]
fn words_are_found_whole_and_in_any_case() {
    let found = ruled_out("It Stands there.\nBut\nfor this");
    assert_eq!(found, ["line 1: `stands`: write is", "line 2: `but for`: write except"]);
    assert_eq!(ruled_out("believe, understands, of one which, cloud needs"), [""; 0]);
}

#[test]
fn sentences_are_counted_by_their_words_and_not_at_the_dots_of_names() {
    assert_eq!(too_long(["config.toml is read. It is short."]), None);
    let long = ["word"; 19].join(" ");
    let found = too_long([long.as_str(), "In aws.bucket it is short."]);
    assert_eq!(found, None);
    assert!(too_long([long.as_str()]).unwrap().starts_with("19 words in 1 sentences"));
}
