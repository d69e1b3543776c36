"""Experiments: run, repeat over seeds, store, summarise, plot, and judge claims.

The only room that uses joblib, pandas and matplotlib, each loaded when first needed.

| module       | what it holds                                                    |
|--------------|------------------------------------------------------------------|
| `registry`   | the tables of methods and tasks                                  |
| `options`    | config fields as options: help text, types, checks               |
| `run`        | the front door: one method on one task with one seed             |
| `plan`       | what is to be run, checked                                       |
| `execute`    | a plan becomes a run: trained, watched, logged, kept             |
| `checkpoint` | the state that a stopped or killed run goes on from              |
| `partial`    | the directory of an unfinished run, and its lock                 |
| `metrics`    | log lines, as strict JSON                                        |
| `tensorboard`| the same as TensorBoard's events                                 |
| `record`     | finished runs in memory, one or a sweep of them                  |
| `learned`    | the networks of a run, kept and made whole again                 |
| `play`       | a finished run acts: in states it is asked about, in a film      |
| `sweep`      | many seeds and configs on several processes                      |
| `backends`   | ... of this machine, or of a dask or ray cluster                 |
| `store`      | run directories that are finished or do not count                |
| `provenance` | commit, versions, machine, the command that repeats a run        |
| `stats`      | IQM, mean, bootstrap bands, paired differences                   |
| `style`      | one colour, line style and marker per method                     |
| `plots`      | curves with bands, and their captions                            |
| `progress`   | a bar for the terminal and for notebooks                         |
| `studies`    | recipes whose small tables ship with the package                 |
| `claims`     | what the lecture claims, with verdicts computed from the studies |
"""
