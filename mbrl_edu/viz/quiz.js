// Keeps the score of the quizzes of mbrl_edu.viz; the rest works without any script.
function start(root) {
  root.mbrlStarted = true;
  const questions = [...root.querySelectorAll("fieldset")];
  const line = root.querySelector(".mbrl-score"), total = questions.length;
  const count = () => {
    const chosen = questions.map(q => q.querySelector("input:checked")).filter(Boolean);
    const right = chosen.filter(input => input.value === "right").length;
    line.textContent = `Score: ${right} of ${total} right, ${chosen.length} of ${total} answered.` +
      (right === total ? " All right!" : "");
  };
  root.addEventListener("change", count);
  count();
}
for (const root of document.querySelectorAll(".mbrl-quiz[data-script='@SCRIPT@']"))
  if (!root.mbrlStarted) start(root);
