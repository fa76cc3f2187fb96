//! Tests of images, each on its own.

use std::time::Duration;

use devloop_model::CustomTest;
use devloop_model::ImageName;
use devloop_model::Location;
use devloop_model::PathList;
use devloop_model::StructureTest;
use devloop_model::Test;
use devloop_model::TestDependencies;
use devloop_model::TestKind;

use super::convert::Converter;
use crate::schema;

impl Converter<'_> {
    /// Returns the tests of a module in the order in which Skaffold runs those of an image: its structure tests, then its
    /// commands (`pkg/skaffold/test/test_factory.go`).
    pub(super) fn tests(&mut self) -> Vec<Test> {
        let module = self.module;
        let mut tests = Vec::new();
        for (index, case) in module.config.test.iter().enumerate() {
            let pointer = format!("/test/{index}");
            let Some(image) = self.image_of(&pointer, &case.image) else { continue };
            let context = self.absolute(&case.context);
            let test = |kind, at: Location| Test { image: image.clone(), context: context.clone(), kind, at };
            if !case.structure_tests.is_empty() {
                let (files, args) = (case.structure_tests.clone(), case.structure_tests_args.clone());
                let at = module.key_span(&format!("{pointer}/structureTests")).location(None);
                tests.push(test(TestKind::Structure(StructureTest { files, args }), at));
            }
            for (number, custom) in case.custom.iter().enumerate() {
                let pointer = format!("{pointer}/custom/{number}");
                if let Some(custom) = self.custom_test(&pointer, custom) {
                    tests.push(test(TestKind::Custom(custom), module.location(&format!("{pointer}/command"))));
                }
            }
        }
        tests
    }

    fn image_of(&mut self, pointer: &str, image: &str) -> Option<ImageName> {
        match ImageName::parse(image) {
            Ok(image) => Some(image),
            Err(error) => {
                self.faults.push(self.module.error("config/image-name", &format!("{pointer}/image"), error.to_string()));
                None
            }
        }
    }

    fn custom_test(&mut self, pointer: &str, custom: &schema::CustomTest) -> Option<CustomTest> {
        if custom.command.trim().is_empty() {
            let what = format!("{} has no `command`", self.module.subject(pointer));
            self.faults.push(self.module.error("config/missing-field", pointer, what));
            return None;
        }
        let command = self.template(&format!("{pointer}/command"), &custom.command);
        let dependencies = custom.dependencies.as_ref().and_then(|dependencies| {
            if !dependencies.command.is_empty() {
                Some(TestDependencies::Command(dependencies.command.clone()))
            } else if !dependencies.paths.is_empty() {
                Some(TestDependencies::Paths(PathList { paths: dependencies.paths.clone(), ignore: dependencies.ignore.clone() }))
            } else {
                None
            }
        });
        // What is not positive is no limit, as in Skaffold (`pkg/skaffold/test/custom/custom.go`).
        let timeout = u64::try_from(custom.timeout_seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
        Some(CustomTest { command, timeout, dependencies })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan_of;
    use super::*;

    #[test]
    fn each_test_stands_on_its_own() {
        let plan = plan_of(
            r"
build: {artifacts: [{image: web}]}
test:
  - image: web
    context: app
    custom:
      - {command: './a.sh {{.MODE}}', timeoutSeconds: 5, dependencies: {paths: [a.sh], ignore: [b]}}
      - {command: ./b.sh, dependencies: {command: ls}}
      - {command: ./c.sh, timeoutSeconds: -1}
    structureTests: [test/*.yaml]
    structureTestsArgs: [-q]
",
        );
        let [structure, a, b, c] = plan.tests.as_slice() else { panic!("{:?}", plan.tests) };
        assert_eq!((a.image.as_str(), a.context.ends_with("app"), a.at.line), ("web", true, 9));
        let files = StructureTest { files: vec!["test/*.yaml".into()], args: vec!["-q".into()] };
        assert_eq!((&structure.kind, structure.at.line), (&TestKind::Structure(files), 12));
        let custom = |test: &Test| match &test.kind {
            TestKind::Custom(custom) => (custom.command.source().to_owned(), custom.timeout, custom.dependencies.clone()),
            TestKind::Structure(_) => panic!("{test:?}"),
        };
        let paths = TestDependencies::Paths(PathList { paths: vec!["a.sh".into()], ignore: vec!["b".into()] });
        assert_eq!(custom(a), ("./a.sh {{.MODE}}".into(), Some(Duration::from_secs(5)), Some(paths)));
        assert_eq!(custom(b), ("./b.sh".into(), None, Some(TestDependencies::Command("ls".into()))));
        assert_eq!(custom(c), ("./c.sh".into(), None, None));
    }
}
