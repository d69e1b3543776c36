// Ready-made pictures, one for every combination of slider values.
function player(data, out) {
  const image = out.querySelector("img");
  return {
    draw(o) {
      image.src = "data:image/webp;base64," + data.frames[o];
      return "";
    },
  };
}
