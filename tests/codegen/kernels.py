"""Kernel descriptions that the tests run, as text, by name."""

MAPS = {
    "chain": """
kernel chain
  axes i:B, j:37
  read x: f32[B, 37], b: f32[37]
  write y: f32[B, 37]
  store y[i, j] = max(x[i, j] * 2.0 + b[j], 0.0)
""",
    "flat": """
kernel flat
  axes i:B, j:3, k:5
  read x: f32[B, 3, 5], z: f32[B, 3, 5]
  write y: f32[B, 3, 5]
  store y[i, j, k] = x[i, j, k] * z[i, j, k] - 1.0
""",
    "transpose": """
kernel transpose
  axes i:B, j:19
  read x: f32[19, B]
  write y: f32[B, 19]
  store y[i, j] = x[j, i]
""",
    "middle": """
kernel middle
  axes i:6, j:B, k:21
  read x: f32[6, B, 21], s: f32[6], t: f32[B]
  write y: f32[6, B, 21]
  store y[i, j, k] = x[i, j, k] * s[i] + t[j]
""",
    "pad": """
kernel pad
  axes n:B, y:7, x:9, c:3
  read t: f32[B, 5, 6, 3]
  write p: f32[B, 7, 9, 3]
  store p[n, y, x, c] = (t[n, y - 1, x - 2, c] if 0 <= y - 1 < 5 and 0 <= x - 2 < 6 else -1.5)
""",
    "reverse_and_stride": """
kernel reverse_and_stride
  axes i:B, j:18
  read x: f32[B, 18], z: f32[B, 36]
  write y: f32[B, 18]
  store y[i, j] = x[i, -j + 17] + z[i, 2*j + 1]
""",
    "bools": """
kernel bools
  axes i:B, j:33
  read x: f32[B, 33], m: bool[B, 33], n: i32[B, 33]
  write y: bool[B, 33], z: i32[B, 33], w: u8[B, 33]
  store y[i, j] = m[i, j] & (x[i, j] > 0.25)
  store z[i, j] = select(m[i, j], n[i, j] * 3, i32(x[i, j] * 10.0))
  store w[i, j] = u8(n[i, j])
""",
    "doubles": """
kernel doubles
  axes i:B, j:11
  read x: f64[B, 11]
  write y: f64[B, 11]
  store y[i, j] = sqrt(abs(x[i, j])) / (x[i, j] * x[i, j] + 1.0)
""",
    "halves": """
kernel halves
  axes i:B, j:23
  read x: f16[B, 23], z: bf16[B, 23]
  write y: f16[B, 23], w: bf16[B, 23]
  let a[i, j] = f32(x[i, j]) * f32(z[i, j])
  store y[i, j] = f16(a + 1.0)
  store w[i, j] = bf16(a)
""",
    "bytes_to_floats": """
kernel bytes_to_floats
  axes i:B, j:30
  read x: u8[B, 30]
  write y: f32[B, 30]
  store y[i, j] = f32(x[i, j]) / 255.0
""",
    "hash": """
kernel hash
  axes i:B, j:29
  read key: u32[2]
  write y: u32[B, 29]
  let n[i, j] = index(29*i + j, u32) + key[0]
  let a[i, j] = (n ^ (n >> 16:u32)) * 2246822507:u32
  store y[i, j] = (a ^ (a >> 13:u32)) * 3266489909:u32 ^ key[1]
""",
    "scalar": """
kernel scalar
  read a: f32[], b: f32[]
  write c: f32[]
  store c[] = a[] * b[] + 1.0
""",
    "uniform": """
kernel uniform
  axes i:B, j:40
  read a: f32[], x: f32[B, 40], t: i32[]
  write y: f32[B, 40]
  let scale[] = a[] / (1.0 - a[] * f32(t[]))
  store y[i, j] = x[i, j] * scale
""",
    "per_sample": """
kernel per_sample
  axes i:B
  read x: f32[B], z: f32[B]
  write y: f32[B]
  store y[i] = (x[i] - z[i]) * (x[i] - z[i])
""",
    "one_hot": """
kernel one_hot
  axes i:B, c:10
  read t: i64[B]
  write y: f32[B, 10]
  store y[i, c] = select(t[i] == index(c, i64), 1.0, 0.0:f32)
""",
    "concat": """
kernel concat
  axes i:B, j:12, k:7
  read a: f32[B, 12], b: f32[B, 7]
  write y: f32[B, 19]
  store y[i, j] = a[i, j]
  store y[i, k + 12] = b[i, k]
""",
    "symbolic_rows_last": """
kernel symbolic_rows_last
  axes j:5, i:B
  read x: f32[5, B]
  write y: f32[B, 5], z: f32[5, B]
  store y[i, j] = x[j, i] + 1.0
  store z[j, i] = x[j, i] * 2.0
""",
    "in_place": """
kernel in_place
  axes i:B, j:17
  read x: f32[B, 17]
  write y: f32[B, 17]
  store y[i, j] = x[i, j] * 0.5
  in_place y = x
""",
    "take": """
kernel take
  axes b:B, t:4, d:21
  read table: f32[11, 21], ids: i32[B, 4]
  write y: f32[B, 4, 21]
  index row[b, t] = i64(min(max(ids[b, t], 0), 10))
  store y[b, t, d] = table[row, d]
""",
    "take_columns": """
kernel take_columns
  axes b:B, t:20
  read x: f32[B, 9], ids: i32[20]
  write y: f32[B, 20]
  index column[t] = i64(ids[t])
  store y[b, t] = x[b, column]
""",
}

ROWS = {
    "softmax": """
kernel softmax
  axes i:B, j:10
  read x: f32[B, 10]
  write y: f32[B, 10]
  reduce m[i] = max over j of x[i, j]
  let e[i, j] = exp(x[i, j] - m)
  reduce s[i] = add over j of e
  store y[i, j] = e / s
""",
    "softmax_long": """
kernel softmax_long
  axes i:B, j:100
  read x: f32[B, 100]
  write y: f32[B, 100]
  reduce m[i] = max over j of x[i, j]
  let e[i, j] = exp(x[i, j] - m)
  reduce s[i] = add over j of e
  store y[i, j] = e / s
""",
    "layernorm": """
kernel layernorm
  axes i:B, j:72
  read x: f32[B, 72], g: f32[72], b: f32[72]
  write y: f32[B, 72], mean: f32[B]
  reduce s[i] = add over j of x[i, j]
  let mu[i] = s / 72.0
  let d[i, j] = x[i, j] - mu
  reduce v[i] = add over j of d * d
  let r[i] = rsqrt(v / 72.0 + 0.001)
  store mean[i] = mu
  store y[i, j] = d * r * g[j] + b[j]
""",
    "argmax": """
kernel argmax
  axes i:B, j:45
  read x: f32[B, 45]
  write y: i64[B]
  reduce m[i] = max over j of x[i, j]
  reduce a[i] = min over j of select(x[i, j] == m, index(j, i64), 45)
  store y[i] = a
""",
    "row_symbolic": """
kernel row_symbolic
  axes i:6, j:B
  read x: f32[6, B]
  write y: f32[6]
  reduce s[i] = add over j of x[i, j] * x[i, j]
  store y[i] = s
""",
    "total": """
kernel total
  axes i:B, j:7
  read x: f32[B, 7]
  write y: f32[]
  reduce s[] = add over i, j of x[i, j]
  store y[] = s / 7.0
""",
    "mean_loss": """
kernel mean_loss
  axes i:B
  read x: f32[B], w: f32[B]
  write y: f32[], z: i32[]
  reduce s[] = add over i of x[i] * w[i]
  reduce n[] = add over i of i32(x[i] > 0.5)
  store y[] = s
  store z[] = n
""",
    "crossentropy": """
kernel crossentropy
  axes i:B, c:10
  read x: f32[B, 10], t: i32[B]
  write loss: f32[B], dx: f32[B, 10]
  reduce m[i] = max over c of x[i, c]
  let e[i, c] = exp(x[i, c] - m)
  reduce s[i] = add over c of e
  reduce picked[i] = add over c of select(t[i] == index(c, i32), x[i, c], 0.0:f32)
  store loss[i] = log(s) + m - picked
  store dx[i, c] = e / s - f32(t[i] == index(c, i32))
""",
    "pooled_embedding": """
kernel pooled_embedding
  axes i:B, t:6, j:21
  read ids: i32[B, 6], table: f32[11, 21]
  write clamped: i32[B, 6], y: f32[B, 21]
  let c[i, t] = max(min(ids[i, t], 10), 0)
  store clamped[i, t] = c
  index row[i, t] = i64(c)
  reduce s[i, j] = add over t of table[row, j]
  store y[i, j] = s / 6.0
""",
    "row_of_strided_sums": """
kernel row_of_strided_sums
  axes i:B, k:9, j:12
  read x: f32[B, 9], w: f32[12, 9]
  write m: f32[B], y: f32[B, 12]
  reduce s[i, j] = add over k of x[i, k] * w[j, k]
  reduce top[i] = max over j of s
  store m[i] = top
  store y[i, j] = s - top
""",
    "row_of_sums": """
kernel row_of_sums
  axes i:B, k:9, j:12
  read x: f32[B, 9], w: f32[9, 12]
  write m: f32[B], y: f32[B, 12]
  reduce s[i, j] = add over k of x[i, k] * w[k, j]
  reduce top[i] = max over j of s
  store m[i] = top
  store y[i, j] = exp(s - top)
""",
}

COLUMNS = {
    "column_sum": """
kernel column_sum
  axes i:B, j:50
  read x: f32[B, 50]
  write y: f32[50]
  reduce s[j] = add over i of x[i, j]
  store y[j] = s
""",
    "batch_statistics": """
kernel batch_statistics
  axes n:B, y:3, x:4, c:20
  read t: f32[B, 3, 4, 20], count: f32[]
  write mean: f32[20], variance: f32[20]
  reduce s[c] = add over n, y, x of t[n, y, x, c]
  let mu[c] = s / count[]
  reduce v[c] = add over n, y, x of (t[n, y, x, c] - mu) * (t[n, y, x, c] - mu)
  store mean[c] = mu
  store variance[c] = v / count[]
""",
    "max_pool": """
kernel max_pool
  axes n:B, y:3, x:4, c:18, u:2, v:2
  read t: f32[B, 6, 8, 18]
  write p: f32[B, 3, 4, 18]
  reduce m[n, y, x, c] = max over u, v of t[n, 2*y + u, 2*x + v, c]
  store p[n, y, x, c] = m
""",
    "depthwise": """
kernel depthwise
  axes n:B, y:3, x:9, c:18, u:3, v:3
  read t: f32[B, 5, 11, 18], w: f32[3, 3, 18]
  write o: f32[B, 3, 9, 18]
  reduce s[n, y, x, c] = add over u, v of t[n, y + u, x + v, c] * w[u, v, c]
  store o[n, y, x, c] = s
""",
    "scatter_add": """
kernel scatter_add
  axes b:B, t:4, d:21
  read ids: i32[B, 4], g: f32[B, 4, 21]
  write table: f32[11, 21]
  index row[b, t] = i64(ids[b, t])
  accumulate table[row, d] for d over b, t += g[b, t, d]
""",
    "sum_by_row_scalar": """
kernel sum_by_row_scalar
  axes b:B
  read ids: i32[B], g: f32[B]
  write table: f32[11]
  index row[b] = i64(ids[b])
  accumulate table[row] for over b += g[b]
""",
}

CONTRACTIONS = {
    "dense": """
kernel dense
  axes i:B, j:50, k:30
  read x: f32[B, 30], w: f32[30, 50], b: f32[50]
  write y: f32[B, 50]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = max(c + b[j], 0.0)
""",
    "logits": """
kernel logits
  axes i:B, j:10, k:30
  read x: f32[B, 30], w: f32[30, 10], b: f32[10]
  write y: f32[B, 10]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c + b[j]
""",
    "one_unit": """
kernel one_unit
  axes i:B, j:1, k:30
  read x: f32[B, 30], w: f32[30, 1], b: f32[1]
  write y: f32[B, 1]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c + b[j]
""",
    "input_gradient": """
kernel input_gradient
  axes i:B, j:30, k:50
  read dy: f32[B, 50], w: f32[30, 50]
  write dx: f32[B, 30]
  reduce c[i, j] = add over k of dy[i, k] * w[j, k]
  store dx[i, j] = c
""",
    "narrow_input_gradient": """
kernel narrow_input_gradient
  axes i:B, j:6, k:6
  read dy: f32[B, 6], w: f32[6, 6], z: f32[B, 6]
  write dx: f32[B, 6], dz: f32[B, 6]
  reduce c[i, j] = add over k of dy[i, k] * w[j, k]
  let v[i, j] = z[i, j] + c
  store dx[i, j] = v
  store dz[i, j] = v * z[i, j]
""",
    "weight_gradient": """
kernel weight_gradient
  axes i:30, j:50, k:B
  read x: f32[B, 30], dy: f32[B, 50]
  write dw: f32[30, 50]
  reduce c[i, j] = add over k of x[k, i] * dy[k, j]
  store dw[i, j] = c
""",
    "adam": """
kernel adam
  axes i:30, j:50, k:B
  read x: f32[B, 30], dy: f32[B, 50], w: f32[30, 50], m: f32[30, 50], v: f32[30, 50], rate: f32[], step: i64[]
  write w2: f32[30, 50], m2: f32[30, 50], v2: f32[30, 50]
  let t[] = f32(step[]) + 1.0
  let alpha[] = rate[] * sqrt(1.0 - pow(0.999, t)) / (1.0 - pow(0.9, t))
  reduce g[i, j] = add over k of x[k, i] * dy[k, j]
  let mn[i, j] = m[i, j] * 0.9 + g * 0.1
  let vn[i, j] = v[i, j] * 0.999 + g * g * 0.001
  store m2[i, j] = mn
  store v2[i, j] = vn
  store w2[i, j] = w[i, j] - alpha * mn / (sqrt(vn) + 0.0000001)
  in_place w2 = w
  in_place m2 = m
  in_place v2 = v
""",
    "batched_dot": """
kernel batched_dot
  axes h:B, i:9, j:20, k:12
  read a: f32[B, 9, 12], b: f32[B, 12, 20]
  write y: f32[B, 9, 20]
  reduce c[h, i, j] = add over k of a[h, i, k] * b[h, k, j]
  store y[h, i, j] = c
""",
    "batched_dot_transposed": """
kernel batched_dot_transposed
  axes h:B, i:9, j:20, k:12
  read a: f32[B, 9, 12], b: f32[B, 20, 12]
  write y: f32[B, 9, 20]
  reduce c[h, i, j] = add over k of a[h, i, k] * b[h, j, k]
  store y[h, i, j] = c * 0.25
""",
    "transposed_both": """
kernel transposed_both
  axes i:30, j:20, k:B
  read a: f32[B, 30], b: f32[20, B]
  write y: f32[30, 20]
  reduce c[i, j] = add over k of a[k, i] * b[j, k]
  store y[i, j] = c
""",
    "turned_of_a_long_sum": """
kernel turned_of_a_long_sum
  axes i:B, j:20, k:90
  read x: f32[B, 90], w: f32[20, 90]
  write y: f32[B, 20]
  reduce c[i, j] = add over k of x[i, k] * w[j, k]
  store y[i, j] = c
""",
    "turned_of_a_long_sum_with_an_epilogue": """
kernel turned_of_a_long_sum_with_an_epilogue
  axes i:B, j:20, k:90
  read x: f32[B, 90], w: f32[20, 90], z: f32[B, 20]
  write y: f32[B, 20]
  reduce c[i, j] = add over k of x[i, k] * w[j, k]
  store y[i, j] = select(z[i, j] > 0.0, tanh(c), 0.0)
""",
    "double_turned": """
kernel double_turned
  axes i:B, j:30, k:90
  read x: f64[B, 90], w: f64[30, 90]
  write y: f64[B, 30]
  reduce c[i, j] = add over k of x[i, k] * w[j, k]
  store y[i, j] = c
""",
    "half_dense": """
kernel half_dense
  axes i:B, j:20, k:12
  read x: f16[B, 12], w: f16[12, 20]
  write y: f16[B, 20]
  reduce c[i, j] = add over k of f32(x[i, k]) * f32(w[k, j])
  store y[i, j] = f16(c)
""",
    "double_dense": """
kernel double_dense
  axes i:B, j:20, k:12
  read x: f64[B, 12], w: f64[12, 20]
  write y: f64[B, 20]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c
""",
    "vector_product": """
kernel vector_product
  axes i:B, k:12
  read x: f32[B, 12], w: f32[12]
  write y: f32[B]
  reduce c[i] = add over k of x[i, k] * w[k]
  store y[i] = c
""",
    "conv": """
kernel conv
  axes n:B, y:2, x:9, o:33, u:3, v:3, c:2
  read t: f32[B, 4, 11, 2], w: f32[3, 3, 2, 33], b: f32[33]
  write r: f32[B, 2, 9, 33]
  reduce s[n, y, x, o] = add over u, v, c of t[n, y + u, x + v, c] * w[u, v, c, o]
  store r[n, y, x, o] = max(s + b[o], 0.0)
""",
    "conv_stride": """
kernel conv_stride
  axes n:B, y:2, x:6, o:24, u:3, v:3, c:1
  read t: f32[B, 6, 13, 1], w: f32[3, 3, 1, 24]
  write r: f32[B, 2, 6, 24]
  reduce s[n, y, x, o] = add over u, v, c of t[n, 2*y + u, 2*x + v, c] * w[u, v, c, o]
  store r[n, y, x, o] = s
""",
    "conv_groups": """
kernel conv_groups
  axes n:B, y:3, x:4, g:2, o:6, u:2, v:2, c:3
  read t: f32[B, 4, 5, 6], w: f32[2, 2, 3, 12]
  write r: f32[B, 3, 4, 12]
  reduce s[n, y, x, g, o] = add over u, v, c of t[n, y + u, x + v, 3*g + c] * w[u, v, c, 6*g + o]
  store r[n, y, x, 6*g + o] = s
""",
    "conv_filter_gradient": """
kernel conv_filter_gradient
  axes u:3, v:3, c:3, o:33, n:B, y:2, x:9
  read t: f32[B, 4, 11, 3], d: f32[B, 2, 9, 33]
  write dw: f32[3, 3, 3, 33]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""",
    "conv_filter_gradient_1": """
kernel conv_filter_gradient_1
  axes u:3, v:3, c:1, o:33, n:B, y:2, x:9
  read t: f32[B, 4, 11, 1], d: f32[B, 2, 9, 33]
  write dw: f32[3, 3, 1, 33]
  reduce s[u, v, c, o] = add over n, y, x of t[n, y + u, x + v, c] * d[n, y, x, o]
  store dw[u, v, c, o] = s
""",
    "conv_input_gradient": """
kernel conv_input_gradient
  axes n:B, y:4, x:7, c:9, u:3, v:3, o:17
  read d: f32[B, 2, 5, 17], w: f32[3, 3, 9, 17]
  write dx: f32[B, 4, 7, 9]
  reduce s[n, y, x, c] = add over u, v, o of (d[n, y - u, x - v, o] if 0 <= y - u < 2 and 0 <= x - v < 5 else 0.0) * w[u, v, c, o]
  store dx[n, y, x, c] = s
""",
    "two_products": """
kernel two_products
  axes i:B, j:20, k:12
  read x: f32[B, 12], w: f32[12, 20], z: f32[12, 20]
  write y: f32[B, 20]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  reduce d[i, j] = add over k of x[i, k] * z[k, j]
  store y[i, j] = c * sigmoid(d)
""",
}

ALL = {**MAPS, **ROWS, **COLUMNS, **CONTRACTIONS}
