//! What a guide tells to write and to type.

use std::path::Path;

/// A guide for whoever builds a product.
pub(crate) struct Guide {
    name: &'static str,
    text: String,
    blocks: Vec<Block>,
}

/// What stands between fences, in which language, and the line above.
struct Block {
    language: String,
    above: String,
    text: String,
}

impl Guide {
    pub(crate) fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/tiktok/guides").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let mut above = String::new();
        let mut blocks: Vec<Block> = Vec::new();
        let mut is_inside = false;
        for line in text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                is_inside = !is_inside;
                if is_inside {
                    let (language, above) = (language.to_owned(), above.clone());
                    blocks.push(Block { language, above, text: String::new() });
                }
            } else if is_inside {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            } else if !line.is_empty() {
                line.clone_into(&mut above);
            }
        }
        assert!(!is_inside, "{name}: a fence is open");
        Self { name, text, blocks }
    }

    /// What stands under a heading.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let start = format!("\n## {heading}\n");
        let (_, after) = self.text.split_once(&start).unwrap_or_else(|| panic!("{} has no `{heading}`", self.name));
        after.split("\n## ").next().unwrap()
    }

    /// Its commands, in their order.
    pub(crate) fn commands<const N: usize>(&self) -> [String; N] {
        let commands = self.blocks.iter().filter(|block| block.language == "sh").map(|block| block.text.clone());
        let commands: Vec<_> = commands.collect();
        let found = commands.len();
        commands.try_into().unwrap_or_else(|_| panic!("{} has {found} blocks of commands, not {N}", self.name))
    }

    /// Writes its files into a directory, and gives their names.
    pub(crate) fn write(&self, into: &Path) -> Vec<String> {
        let files = self.blocks.iter().filter_map(|block| Some((block.file()?, block)));
        let written = files.map(|(name, block)| {
            let path = into.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &block.text).unwrap();
            name.to_owned()
        });
        written.collect()
    }
}

impl Block {
    /// Its name, if it is a file: the line above says it, such as "`server.mjs`:".
    fn file(&self) -> Option<&str> {
        self.above.strip_prefix('`')?.strip_suffix("`:")
    }
}
