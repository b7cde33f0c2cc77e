//! Job ids, and jobs with data.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::{Asking, Seen, StageState, same},
    place::{Answered, Place},
    scratch::{COLUMNS, Scratch},
};

const SEPTEMBER: &str = "month,cost,note\n2025-09-01,1,x\n";

pub fn questions(place: &Place) -> Vec<Asking<'_>> {
    vec![
        Asking::relied(
            [
                "22",
                "J1",
                "A second job of an id is refused with 409 and `duplicate`, and the first is found under it with its labels",
                "of two runs at once, and of a killed run and the next, one loads and the other finds the job",
            ],
            duplicate_id(place),
        ),
        Asking::relied(
            ["23", "J1", "The id of a job that failed is used up: 409", "a failed swap takes the next number"],
            used_up_id(place),
        ),
        Asking::relied(
            [
                "24",
                "K1",
                "A load of uploaded data reports one input file",
                "finops holds the files that a job read against those that it sent",
            ],
            uploaded_file(place),
        ),
        Asking::relied(
            [
                "25",
                "K3",
                "An upload under a job id that is used is refused with 409",
                "a staged pipeline that was killed after the upload finds the job",
            ],
            upload_under_a_used_id(place),
        ),
        Asking::relied(
            [
                "26",
                "Q17",
                "A dry run of `CREATE TABLE` is done at once, names the account, and makes no table",
                "`finops check` sees whether jobs may be run and tables made, and by whom",
            ],
            dry_run(place),
        ),
        Asking::relied(
            [
                "26b",
                "Q17",
                "A dry run of an INSERT with named parameters is done at once, and adds no row",
                "finops tries so whether it may record, before it loads",
            ],
            dry_insert(place),
        ),
    ]
}

async fn insert(place: &Place, id: &str, configuration: &Value) -> Result<Answered, Seen> {
    place.call(Method::POST, &["jobs"], &place.job(id, configuration)).await
}

/// A load of September, labelled.
async fn load(table: &Scratch<'_>, file: &str, label: &str) -> Result<Value, Seen> {
    let mut load = table.csv_load();
    load["sourceUris"] = json!([table.place.put(&format!("{}.csv", table.place.new_name()), file.into()).await?]);
    Ok(json!({"load": load, "labels": {"finops_work": label}}))
}

fn is_duplicate(answer: &Answered) -> StageState {
    same(&(answer.status, answer.body["error"]["errors"][0]["reason"].as_str()), &(409, Some("duplicate")))
}

async fn duplicate_id(place: &Place) -> StageState {
    let table = Scratch::new(place, "duplicate_id", COLUMNS).await?;
    let id = place.new_name();
    let (first, second) = (load(&table, SEPTEMBER, "first").await?, load(&table, SEPTEMBER, "second").await?);
    insert(place, &id, &first).await?.accepted("inserting a job")?;
    is_duplicate(&insert(place, &id, &second).await?)?;
    same(&place.ended(&id).await?["configuration"]["labels"], &json!({"finops_work": "first"}))
}

async fn used_up_id(place: &Place) -> StageState {
    let table = Scratch::new(place, "used_up_id", COLUMNS).await?;
    let id = place.new_name();
    let load = load(&table, &SEPTEMBER.replace(",1,", ",none,"), "failed").await?;
    insert(place, &id, &load).await?.accepted("inserting a job")?;
    let ended = place.ended(&id).await?;
    same(&ended["status"]["errorResult"]["reason"], &json!("invalid"))?;
    is_duplicate(&insert(place, &id, &load).await?)
}

async fn uploaded_file(place: &Place) -> StageState {
    let table = Scratch::new(place, "uploaded_file", COLUMNS).await?;
    let id = place.new_name();
    let begun = place.begin_upload(&place.job(&id, &json!({"load": table.csv_load()}))).await?;
    let session = begun.headers.get("location").and_then(|url| url.to_str().ok()).unwrap_or_default().to_owned();
    begun.accepted("beginning an upload")?;
    place.upload(&session, SEPTEMBER.as_bytes()).await?.accepted("uploading")?;
    let load = &place.ended(&id).await?["statistics"]["load"];
    same(&[&load["inputFiles"], &load["outputRows"]], &["1", "1"])
}

async fn upload_under_a_used_id(place: &Place) -> StageState {
    let table = Scratch::new(place, "upload_under_a_used_id", COLUMNS).await?;
    let id = place.new_name();
    insert(place, &id, &load(&table, SEPTEMBER, "first").await?).await?.accepted("inserting a job")?;
    place.ended(&id).await?;
    let begun = place.begin_upload(&place.job(&id, &json!({"load": table.csv_load()}))).await?;
    if begun.status != 200 {
        return is_duplicate(&begun);
    }
    let session = begun.headers.get("location").and_then(|url| url.to_str().ok()).unwrap_or_default();
    is_duplicate(&place.upload(session, SEPTEMBER.as_bytes()).await?)
}

async fn dry_run(place: &Place) -> StageState {
    let sql = format!("CREATE TABLE `{}`.`{}`.`dry_run` (a STRING)", place.project, place.dataset);
    let configuration = json!({"dryRun": true, "query": {"query": sql, "useLegacySql": false}});
    let reference = json!({"projectId": place.project, "location": place.location});
    let job = json!({"jobReference": reference, "configuration": configuration});
    let answer = place.call(Method::POST, &["jobs"], &job).await?.accepted("inserting a dry run")?;
    same(&answer["status"]["state"], &json!("DONE"))?;
    same(&answer["user_email"].is_string(), &true)?;
    same(&place.tables().await?.contains(&"dry_run".to_owned()), &false)
}

async fn dry_insert(place: &Place) -> StageState {
    let table = Scratch::new(place, "dry_insert", &[("note", "STRING")]).await?;
    let sql = format!("INSERT INTO {} (note) SELECT @note FROM (SELECT 1)", table.path());
    let note = json!([{"name": "note", "parameterType": {"type": "STRING"}, "parameterValue": {}}]);
    let query = json!({"query": sql, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": note});
    let reference = json!({"projectId": place.project, "location": place.location});
    let job = json!({"jobReference": reference, "configuration": {"dryRun": true, "query": query}});
    let answer = place.call(Method::POST, &["jobs"], &job).await?.accepted("inserting a dry run")?;
    same(&answer["status"]["state"], &json!("DONE"))?;
    same(&table.rows("note").await?.len(), &0)
}
