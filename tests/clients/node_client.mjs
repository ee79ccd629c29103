// One call of an SDK for Node: node_client.mjs ACTION ROLE PROMPT DIALECT URL KEY. Prints JSON.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [action, role, prompt, dialect, url, key] = process.argv.slice(2);
const messages = [{ role: "user", content: prompt }];
const openai = () => new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const anthropic = () => new Anthropic({ baseURL: url, apiKey: key });

const ask = {
  async chat() {
    const reply = await openai().chat.completions.create({ model: role, messages });
    const message = reply.choices[0].message;
    return {
      text: message.content ?? "",
      tokens: reply.usage.completion_tokens,
      calls: (message.tool_calls ?? []).map((call) => call.function.name),
    };
  },
  async responses() {
    const reply = await openai().responses.create({ model: role, input: prompt });
    return {
      text: reply.output_text,
      tokens: reply.usage.output_tokens,
      calls: reply.output.filter((item) => item.type === "function_call").map((item) => item.name),
    };
  },
  async messages() {
    const reply = await anthropic().messages.create({ model: role, max_tokens: 500, messages });
    return {
      text: reply.content.filter((block) => block.type === "text").map((block) => block.text).join(""),
      tokens: reply.usage.output_tokens,
      calls: reply.content.filter((block) => block.type === "tool_use").map((block) => block.name),
    };
  },
};

const stream = {
  async chat() {
    let text = "";
    for await (const chunk of await openai().chat.completions.create({ model: role, messages, stream: true })) {
      text += chunk.choices[0].delta.content ?? "";
    }
    return { text };
  },
  async responses() {
    let text = "";
    let completed = false;
    for await (const event of await openai().responses.create({ model: role, input: prompt, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      completed ||= event.type === "response.completed";
    }
    if (!completed) throw new Error("the stream had no end");
    return { text };
  },
  async messages() {
    const reply = await anthropic().messages.stream({ model: role, max_tokens: 500, messages }).finalMessage();
    return { text: reply.content.map((block) => block.text ?? "").join("") };
  },
};

console.log(JSON.stringify(await { ask, stream }[action][dialect]()));
