-- What a run caused: its changes, and the runs behind them. Only what has a cause costs anything.
CREATE INDEX job_result_cause ON job_result (cause, number) WHERE cause IS NOT NULL;
CREATE INDEX object_change_cause ON object_change (cause, id) WHERE cause IS NOT NULL;
