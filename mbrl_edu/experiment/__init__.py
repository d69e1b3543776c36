"""Experiments: run, repeat over seeds, store, summarise, plot, and judge claims.

The only room that uses joblib, pandas and matplotlib, each loaded when first needed.

| module       | what it holds                                                    |
|--------------|------------------------------------------------------------------|
| `registry`   | the tables of methods and tasks                                  |
| `options`    | config fields as options: help text, types, checks               |
| `run`        | one method on one task with one seed                             |
| `record`     | finished runs in memory, one or a sweep of them                  |
| `sweep`      | many seeds and configs on several processes                      |
| `store`      | run directories that are finished or do not count                |
| `provenance` | commit, versions, machine, the command that repeats a run        |
| `stats`      | IQM, mean, bootstrap bands, paired differences                   |
| `style`      | one colour, line style and marker per method                     |
| `plots`      | curves with bands, and their captions                            |
| `progress`   | a bar for the terminal and for notebooks                         |
| `studies`    | recipes whose small tables ship with the package                 |
| `claims`     | what the lecture claims, with verdicts computed from the studies |
"""
