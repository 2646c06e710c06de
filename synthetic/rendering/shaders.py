"""The programs that run for each vertex and each pixel, in OpenGL's language."""

__all__ = [
    "DEPTH_FRAGMENT",
    "DEPTH_VERTEX",
    "FIGURE_FRAGMENT",
    "FIGURE_VERTEX",
    "PLATE_FRAGMENT",
    "PLATE_VERTEX",
    "SHADE_FRAGMENT",
    "SHADE_VERTEX",
]

_BEND = """
uniform vec4 window;  // from x / z and y / z to the drawn part, -1 to 1: factors, then shifts
uniform vec2 bend;  // the lens's k1 and how far it reaches
uniform vec2 depths;
vec4 seen_at(vec3 seen) {
    vec2 flat_xy = seen.xy / max(seen.z, 1e-4);
    float grown = 1.0 + bend.x * min(dot(flat_xy, flat_xy), bend.y);
    return vec4(seen.xy * grown * window.xy + seen.z * window.zw,
                depths.x * seen.z + depths.y, seen.z);
}
"""
"""Camera axes to clip coordinates. The picture's y points down, and so do the rows read back."""

_CLOTH = """
uniform sampler2DArray cloth;
vec3 linear(vec3 c) { return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878); }
"""
"""sRGB to linear light; the polynomial is within 0.003 of the curve."""

FIGURE_VERTEX = f"""#version 330
in vec3 position, normal, uv;
in vec2 opening;
uniform mat4 view;
uniform mat3 turn;
uniform vec3 direction, sun, sky, ground;
out vec3 light, at;
{_BEND}
void main() {{
    vec3 side = turn * normal;
    float facing = dot(side, direction);
    light = mix(ground, sky, 0.5 + 0.5 * side.z) * opening.x
          + sun * max((facing + 0.12) / 1.12, 0.0) * opening.y;
    at = uv;
    gl_Position = seen_at((view * vec4(position, 1.0)).xyz);
}}
"""
"""Light is computed at the vertices, which lie close; cloth scatters a little around its edge."""

FIGURE_FRAGMENT = f"""#version 330
in vec3 light, at;
out vec4 drawn;
{_CLOTH}
void main() {{
    drawn = vec4(sqrt(linear(texture(cloth, at).rgb) * light * 0.25), 1.0);
}}
"""

SHADE_VERTEX = f"""#version 330
in vec3 position, normal;
uniform mat4 view, model;
uniform vec3 direction;
uniform float fading, spread;  // 1 / metres, metres
out float strength;
{_BEND}
void main() {{
    vec3 world = (model * vec4(position + normal * spread, 1.0)).xyz;
    strength = 0.5 * exp(-max(world.z, 0.0) * fading);
    world -= direction * (world.z - 0.005) / direction.z;
    gl_Position = seen_at((view * vec4(world, 1.0)).xyz);
}}
"""

SHADE_FRAGMENT = """#version 330
in float strength;
out vec4 drawn;
void main() { drawn = vec4(0.0, 0.0, 0.0, strength); }
"""

DEPTH_VERTEX = """#version 330
in vec3 position;
uniform mat4 lamp;
void main() { gl_Position = lamp * vec4(position, 1.0); }
"""

DEPTH_FRAGMENT = """#version 330
void main() {}
"""

PLATE_VERTEX = f"""#version 330
in vec3 position, normal, uv;
uniform mat4 view, sun_lamp, sky_lamp;
uniform vec3 direction, sun, sky, ground;
out vec3 sunny, skyward, earthward, at, sun_at, sky_at;
out float level;
{_BEND}
void main() {{
    float up = 0.5 + 0.5 * normal.z;
    sunny = sun * max(dot(normal, direction), 0.0);
    skyward = sky * up;
    earthward = ground * (1.0 - up);
    level = max(normal.z, 0.0);
    at = uv;
    vec3 lifted = position + normal * 0.03;
    sun_at = (sun_lamp * vec4(lifted, 1.0)).xyz * 0.5 + 0.5;
    sky_at = (sky_lamp * vec4(lifted, 1.0)).xyz * 0.5 + 0.5;
    gl_Position = seen_at((view * vec4(position, 1.0)).xyz);
}}
"""

PLATE_FRAGMENT = f"""#version 330
in vec3 sunny, skyward, earthward, at, sun_at, sky_at;
in float level;
uniform sampler2DShadow sun_map, sky_map;
uniform vec2 sun_scale, sky_scale;  // of a lamp's picture: its width and depth a metre
out vec4 drawn;
{_CLOTH}
float lit(sampler2DShadow map, vec3 where, float soft, float higher) {{
    if (any(notEqual(clamp(where.xy, 0.0, 1.0), where.xy))) return 1.0;
    float sum = texture(map, where + vec3(soft, 0.4 * soft, higher))
              + texture(map, where + vec3(-0.4 * soft, soft, higher))
              + texture(map, where + vec3(-soft, -0.4 * soft, higher))
              + texture(map, where + vec3(0.4 * soft, -soft, higher));
    return 0.25 * sum;
}}
float hidden(float metres) {{
    return 1.0 - lit(sky_map, sky_at, metres * sky_scale.x, -metres * sky_scale.y);
}}
void main() {{
    float sunlit = lit(sun_map, sun_at, 0.02 * sun_scale.x, 0.0);
    vec3 light = sunny * sunlit + earthward
               + skyward * (1.0 - level * (0.5 * hidden(0.25) + 0.4 * hidden(0.9)));
    drawn = vec4(linear(texture(cloth, at).rgb) * light, 0.5 + 0.5 * sunlit);
}}
"""
"""The sky is hidden by what stands near and is higher than it is far.

Alpha: 0 where nothing is, else half and half of how much sun gets there."""
