//! All that was found.

use std::collections::BTreeSet;

use super::{Area, Finding, Severity};

/// What was found, and what was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    looked_at: BTreeSet<Area>,
}

impl Report {
    /// Adds what was found by looking at all that there is to an area.
    pub(super) fn take(&mut self, area: Area, findings: Vec<Finding>) {
        self.looked_at.insert(area);
        self.add(findings);
    }

    /// Adds what was found. What is found twice is told once.
    pub(super) fn add(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// What was found, by area, the worst of each first.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.findings.iter().collect();
        all.sort_by_key(|finding| (finding.kind.area(), finding.kind.severity()));
        all
    }

    /// The areas that were looked at and in which nothing was found.
    pub fn well(&self) -> Vec<Area> {
        let is_well = |area: &Area| !self.findings.iter().any(|finding| finding.kind.area() == *area);
        self.looked_at.iter().copied().filter(is_well).collect()
    }

    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.kind.severity() == severity).count()
    }

    /// Whether somebody has to do something: there are errors or warnings.
    pub fn needs_attention(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind.severity() != Severity::Note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Kind;

    #[test]
    fn findings_are_shown_by_area_and_the_worst_first() {
        let mut report = Report::default();
        let finding = |kind| Finding::new(kind, "it is so", "do this");
        report.take(Area::Files, vec![finding(Kind::DiskLow), finding(Kind::FileExposed)]);
        report.take(Area::Configuration, vec![finding(Kind::ScopesPending)]);
        report.take(Area::Keys, Vec::new());
        report.take(Area::Files, vec![finding(Kind::DiskLow)]);
        let kinds: Vec<_> = report.findings().iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [Kind::ScopesPending, Kind::FileExposed, Kind::DiskLow]);
        assert_eq!(report.well(), [Area::Keys]);
        assert_eq!(report.count(Severity::Warning), 1);
        assert!(report.needs_attention());
    }

    #[test]
    fn notes_alone_need_nobody() {
        let mut report = Report::default();
        report.take(Area::Network, vec![Finding::new(Kind::ProxyIgnored, "it is so", "nothing")]);
        assert!(!report.needs_attention());
    }
}
