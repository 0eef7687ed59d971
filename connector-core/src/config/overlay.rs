//! Laying one file over another: a scalar or list replaces; a scope definition replaces whole; apps and platforms merge by name.

use super::file::{AppFile, ConfigFile, PlatformFile};
use super::{Key, Layer, Origins};

/// Lays the layers over each other, the last on top.
pub(super) fn overlay(layers: Vec<Layer>) -> (ConfigFile, Origins) {
    let mut under = ConfigFile::default();
    let mut origins = Origins::default();
    for layer in layers {
        let (name, over) = layer.into_parts();
        origins.begin(name);
        lay_file(&mut origins, &mut under, over);
    }
    (under, origins)
}

// The files are taken apart name by name, so that a key without a rule does not compile.

fn lay_file(origins: &mut Origins, under: &mut ConfigFile, over: ConfigFile) {
    let ConfigFile { platforms } = over;
    for (id, platform) in platforms {
        let key = Key::of(["platforms", &id]);
        origins.mention(key.clone());
        lay_platform(origins, &key, under.platforms.entry(id).or_default(), platform);
    }
}

fn lay_platform(origins: &mut Origins, key: &Key, under: &mut PlatformFile, over: PlatformFile) {
    let PlatformFile { apps, scopes } = over;
    for (name, app) in apps {
        let key = key.child("apps").child(&name);
        origins.mention(key.clone());
        lay_app(origins, &key, under.apps.entry(name).or_default(), app);
    }
    for (scope, definition) in scopes {
        origins.set(key.child("scopes").child(&scope));
        under.scopes.insert(scope, definition);
    }
}

fn lay_app(origins: &mut Origins, key: &Key, under: &mut AppFile, over: AppFile) {
    let AppFile { kind, client_id, client_secret, redirect_uri, pkce, scopes, pending, required, keep_fresh, tenants } =
        over;
    lay_value(origins, key.child("kind"), &mut under.kind, kind);
    lay_value(origins, key.child("client_id"), &mut under.client_id, client_id);
    lay_value(origins, key.child("client_secret"), &mut under.client_secret, client_secret);
    lay_value(origins, key.child("redirect_uri"), &mut under.redirect_uri, redirect_uri);
    lay_value(origins, key.child("pkce"), &mut under.pkce, pkce);
    lay_value(origins, key.child("scopes"), &mut under.scopes, scopes);
    lay_value(origins, key.child("pending"), &mut under.pending, pending);
    lay_value(origins, key.child("required"), &mut under.required, required);
    lay_value(origins, key.child("keep_fresh"), &mut under.keep_fresh, keep_fresh);
    lay_value(origins, key.child("tenants"), &mut under.tenants, tenants);
}

fn lay_value<T>(origins: &mut Origins, key: Key, under: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *under = over;
        origins.set(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppKind;

    const BASE: &str = r#"
        [platforms.lantern.apps.default]
        kind = "desktop"
        client_id = { env = "LANTERN_ID" }
        scopes = ["basic", "stats.read"]
        pending = ["stats.read"]
        required = ["basic"]
        [platforms.lantern.scopes.basic]
        product = "Login"
        description = "Name"
        [platforms.lantern.scopes."stats.read"]
        product = "Login"
        description = "Counts"
        fields.me = { stars = "metric.followers" }
    "#;

    const OVER: &str = r#"
        [platforms.lantern.apps.default]
        scopes = ["basic"]
        pending = []
        required = ["stats.read"]
        [platforms.lantern.apps.second]
        kind = "web"
        [platforms.lantern.scopes."stats.read"]
        product = "Numbers"
        [platforms.torch]
    "#;

    fn laid(texts: &[(&str, &str)]) -> (ConfigFile, Origins) {
        overlay(texts.iter().map(|(name, text)| Layer::embedded(*name, text).unwrap()).collect())
    }

    #[test]
    fn a_value_or_list_replaces_and_what_is_not_said_stays() {
        let (file, _) = laid(&[("base", BASE), ("over", OVER)]);
        let app = &file.platforms["lantern"].apps["default"];
        assert_eq!(app.kind, Some(AppKind::Desktop));
        assert_eq!(app.scopes.as_deref(), Some(&["basic".to_owned()][..]));
        assert_eq!(app.pending.as_deref(), Some(&[][..]), "an empty list is a list");
        assert_eq!(app.required.as_deref(), Some(&["stats.read".to_owned()][..]));
        assert!(app.client_id.is_some());
    }

    #[test]
    fn a_scope_definition_replaces_whole() {
        let (file, _) = laid(&[("base", BASE), ("over", OVER)]);
        let definition = &file.platforms["lantern"].scopes["stats.read"];
        assert_eq!((definition.product.as_deref(), definition.description.as_deref()), (Some("Numbers"), None));
        assert!(definition.fields.is_empty());
    }

    #[test]
    fn apps_and_platforms_merge_by_name() {
        let (file, _) = laid(&[("base", BASE), ("over", OVER)]);
        assert_eq!(file.platforms.keys().collect::<Vec<_>>(), ["lantern", "torch"]);
        assert_eq!(file.platforms["lantern"].apps.keys().collect::<Vec<_>>(), ["default", "second"]);
        assert_eq!(file.platforms["lantern"].scopes.keys().collect::<Vec<_>>(), ["basic", "stats.read"]);
    }

    #[test]
    fn each_value_remembers_its_layer() {
        let (_, origins) = laid(&[("base", BASE), ("over", OVER)]);
        let all: Vec<_> = origins.iter().map(|(key, layer)| format!("{key} = {layer}")).collect();
        assert_eq!(
            all,
            [
                "platforms.lantern.apps.default.client_id = base",
                "platforms.lantern.apps.default.kind = base",
                "platforms.lantern.apps.default.pending = over",
                "platforms.lantern.apps.default.required = over",
                "platforms.lantern.apps.default.scopes = over",
                "platforms.lantern.apps.second.kind = over",
                "platforms.lantern.scopes.basic = base",
                "platforms.lantern.scopes.\"stats.read\" = over",
            ]
        );
        assert_eq!(origins.get(&Key::of(["platforms", "lantern", "apps", "default", "pkce"])), None);
    }

    #[test]
    fn what_is_missing_is_blamed_on_the_layer_that_began_it() {
        let (_, origins) = laid(&[("base", BASE), ("over", OVER)]);
        for (key, layer) in [("default", "base"), ("second", "over")] {
            let key = Key::of(["platforms", "lantern", "apps", key, "redirect_uri"]);
            assert_eq!(origins.blame(&key).as_str(), layer);
        }
    }
}
