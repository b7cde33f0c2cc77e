//! Query jobs: parameters in, all rows out.

use gcp_bigquery_client::model::{
    get_query_results_parameters::GetQueryResultsParameters, query_parameter::QueryParameter,
    query_parameter_type::QueryParameterType, query_parameter_value::QueryParameterValue, query_request::QueryRequest,
    table_row::TableRow,
};

use super::{client::Client, errors::Failure};

/// What a query gave.
pub(super) struct Answer {
    /// Each value as text; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// The job that ran it.
    pub job_id: String,
}

/// A named parameter; `None` is NULL.
pub(super) fn parameter(name: &str, sql_type: &str, value: Option<String>) -> QueryParameter {
    QueryParameter {
        name: Some(name.to_owned()),
        parameter_type: Some(QueryParameterType { r#type: sql_type.to_owned(), ..Default::default() }),
        parameter_value: Some(QueryParameterValue { value, ..Default::default() }),
    }
}

impl Client {
    /// Runs `sql` in `location` to its end and reads every page.
    pub(super) async fn query(
        &self,
        location: &str,
        sql: &str,
        parameters: Vec<QueryParameter>,
    ) -> Result<Answer, Failure> {
        let mut request = QueryRequest::new(sql);
        request.location = Some(location.to_owned());
        if !parameters.is_empty() {
            request.parameter_mode = Some("NAMED".to_owned());
            request.query_parameters = Some(parameters);
        }
        let mut answer = self.start_query(request).await?;
        let job_id = answer.job_reference.take().and_then(|job| job.job_id);
        let job_id = job_id.ok_or(Failure::Incomplete("the job's id"))?;
        let mut rows = Vec::new();
        loop {
            let mut page_token = None;
            if answer.job_complete == Some(true) {
                rows.extend(answer.rows.unwrap_or_default().into_iter().map(texts));
                page_token = answer.page_token;
                if page_token.is_none() {
                    return Ok(Answer { rows, job_id });
                }
            }
            let location = Some(location.to_owned());
            let more = GetQueryResultsParameters { location, page_token, ..Default::default() };
            answer = self.query_results(&job_id, more).await?;
        }
    }
}

fn texts(row: TableRow) -> Vec<Option<String>> {
    let cells = row.columns.unwrap_or_default().into_iter();
    cells
        .map(|cell| match cell.value {
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        })
        .collect()
}
