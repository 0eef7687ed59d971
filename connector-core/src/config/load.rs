use super::check::check;
use super::overlay::overlay;
use super::{Layer, LayerName, Origins, Problems, Settings};

/// The configuration of all layers together, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it says.
    pub settings: Settings,
    /// Which layer said it.
    pub origins: Origins,
    /// The layers, lowest first.
    pub layers: Vec<LayerName>,
}

impl Config {
    /// Lays the layers over each other, the last on top, and checks the whole.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn of(layers: Vec<Layer>) -> Result<Self, Problems> {
        let (file, origins) = overlay(layers);
        let settings = check(&file, &origins)?;
        let layers = origins.layers().to_vec();
        Ok(Self { settings, origins, layers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that is shipped, without the name of any platform.
    fn shipped() -> Config {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/social-platforms.toml");
        Config::of(vec![Layer::read(path).unwrap()]).unwrap()
    }

    #[test]
    fn the_shipped_file_is_right_and_asks_for_every_scope_it_describes() {
        for platform in shipped().settings.platforms.values() {
            let app = platform.app("default").unwrap();
            let mut asked = app.wanted.requested();
            asked.sort();
            assert_eq!(asked, platform.catalogue.scopes.keys().cloned().collect::<Vec<_>>());
            assert!(app.client_id.is_some() && app.client_secret.is_some());
        }
    }

    #[test]
    fn the_shipped_file_maps_fourteen_fields_of_a_person() {
        let counts = shipped()
            .settings
            .platforms
            .values()
            .map(|platform| platform.catalogue.fields("user_info").count())
            .collect::<Vec<_>>();
        assert!(counts.contains(&14), "{counts:?}");
    }

    #[test]
    fn no_layers_are_a_configuration_that_knows_nothing() {
        let config = Config::of(Vec::new()).unwrap();
        assert!(config.settings.platforms.is_empty() && config.layers.is_empty() && config.entries().is_empty());
    }
}
