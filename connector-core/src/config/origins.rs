use std::collections::BTreeMap;
use std::fmt;

use super::Key;

/// The name of a layer, for people: the path of its file, or what the host calls the embedded one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerName(String);

impl LayerName {
    /// A layer of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which layer each value came from. A scope definition is one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    layers: Vec<LayerName>,
    values: BTreeMap<Key, usize>,
    tables: BTreeMap<Key, usize>,
}

impl Origins {
    /// The layer a value came from; `None` if no layer sets it.
    pub fn get(&self, key: &Key) -> Option<&LayerName> {
        self.values.get(key).and_then(|layer| self.layers.get(*layer))
    }

    /// Every value that is set, with its layer.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &LayerName)> {
        self.values.keys().filter_map(|key| Some((key, self.get(key)?)))
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[LayerName] {
        &self.layers
    }

    /// From here on values come from this layer.
    pub(super) fn begin(&mut self, layer: LayerName) {
        self.layers.push(layer);
    }

    /// The layer begun last sets a value.
    pub(super) fn set(&mut self, key: Key) {
        self.values.insert(key, self.current());
    }

    /// The layer begun last mentions a table. The first to do so answers for what is missing in it.
    pub(super) fn mention(&mut self, key: Key) {
        let current = self.current();
        self.tables.entry(key).or_insert(current);
    }

    /// The layer to blame for what is wrong at a place: the one that set the value, else the one that began the table around it.
    pub(super) fn blame(&self, key: &Key) -> LayerName {
        self.layers.get(self.rank(key)).cloned().unwrap_or_default()
    }

    /// The position of that layer; higher ones come later.
    pub(super) fn rank(&self, key: &Key) -> usize {
        let mut place = Some(key.clone());
        while let Some(key) = place {
            if let Some(layer) = self.values.get(&key).or_else(|| self.tables.get(&key)) {
                return *layer;
            }
            place = key.parent();
        }
        0
    }

    fn current(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }
}
