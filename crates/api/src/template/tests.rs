//! Tests of templates: template and data in, text out.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(template: &str, expected: &str) {
    let data = json!({
        "ID": "abc", "Name": "web", "N": 3, "Zero": 0, "On": true, "Labels": {"z": "1", "a": "2"},
        "List": ["x", "y"], "Spec": {"Image": "nginx", "Nested": {"Deep": null}}, "Empty": []
    });
    let filled = Template::parse(template, Missing::NoValue).and_then(|template| template.fill(&data));
    assert_eq!(filled.unwrap_or_else(|error| format!("error: {error}")), expected, "{template}");
}

#[test]
fn fields_and_text_are_shown() {
    check("{{.ID}} {{.Spec.Image}}!", "abc nginx!");
    check("{{.Nope}}|{{.Spec.Nested.Deep}}|{{.Nope.Deeper}}", "<no value>|<no value>|<no value>");
    check("{{.Labels}} {{.List}} {{.On}} {{.N}}", "map[a:2 z:1] [x y] true 3");
    check("a {{- .ID -}} b{{/* nothing */}}", "aabcb");
    check(
        "{{.Name.X}}",
        "error: template: :1: executing \"\" at <.X>: can't evaluate field X in type string",
    );
}

#[test]
fn functions_and_pipelines_work() {
    check("{{json .Labels}}{{json .Name}}", "{\"z\":\"1\",\"a\":\"2\"}\"web\"");
    check("{{.Name | upper | printf \"%-5s|%q\" \"a\"}}", "a    |\"WEB\"");
    check("{{join .List \",\"}} {{join \"-\" .ID .N}} {{len .List}}", "x,y abc-3 2");
    check("{{index .Labels \"z\"}}{{index .List 1}}{{slice .Name 1}}", "1yeb");
    check(
        "{{eq .N 3}} {{ne .Name \"web\"}} {{lt .N 10}} {{and .On .Zero}} {{or .Zero .ID}}",
        "true false true 0 abc",
    );
    check("{{title \"hello world\"}}{{pad .Name 1 2}}{{truncate .Name 2}}", "Hello World web  we");
    check("{{println .ID .N}}", "abc 3\n");
    check("{{(index .List 0)}}{{(.Spec).Image}}", "xnginx");
}

#[test]
fn blocks_work() {
    check("{{if .On}}yes{{else}}no{{end}}{{if .Zero}}yes{{else if .N}}three{{else}}no{{end}}", "yesthree");
    check("{{range .List}}<{{.}}>{{end}}{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "<x><y>a=2;z=1;");
    check("{{range .Empty}}x{{else}}none{{end}}{{with .Spec}}{{.Image}}{{$.ID}}{{end}}", "nonenginxabc");
    check("{{$x := .ID}}{{range .List}}{{$x = .}}{{end}}{{$x}}", "y");
    check("{{range .List}}{{.}}{{break}}{{end}}", "x");
}

#[test]
fn wrong_templates_are_refused() {
    for template in [
        "{{",
        "{{.ID",
        "{{end}}",
        "{{if .ID}}",
        "{{nope .ID}}",
        "{{.ID .Name}}",
        "{{(.ID}}",
        "{{\"a}}",
        "{{#}}",
    ] {
        assert!(Template::parse(template, Missing::NoValue).is_err(), "{template}");
    }
}

#[test]
fn a_missing_key_can_be_refused() {
    let template = Template::parse("{{.Nope}}", Missing::Refused).unwrap();
    assert!(template.fill(&json!({})).unwrap_err().to_string().contains("map has no entry for key \"Nope\""));
}

#[test]
fn who_asks_for_what_must_be_there_may_write_it_as_go_does() {
    let template = Template::parse("{{.APIVersion}} {{.ApiVersion}}", Missing::Refused).unwrap();
    assert_eq!(template.fill(&json!({"ApiVersion": "1.41"})).unwrap(), "1.41 1.41");
}

#[test]
fn columns_are_the_first_fields() {
    let template = Template::parse("{{.ID}}\t{{upper .Name}}\t{{if .On}}x{{end}}", Missing::NoValue).unwrap();
    assert_eq!(template.columns(), ["ID", "Name", "On"]);
}

proptest! {
    #[test]
    fn garbage_is_filled_or_refused(template in "(\\{\\{|\\}\\}|[ .$|()\"`a-z0-9:=,-]|json|range|if|end|index|printf|slice|eq|and|join|é){0,24}") {
        if let Ok(template) = Template::parse(&template, Missing::NoValue) {
            let _ = template.fill(&json!({"a": [1, "é"], "b": {"c": "é"}}));
        }
    }
}
