// Consume nudges in Node.js: `npm ci && node consume_nudges.mjs BROKER [PREFIX]`, until nothing more is there.
//
// A nudge may come twice (after a crash): what is delivered once is known by its nudge_id. A cancellation names
// the nudge that must not go out any more. Hold each until its send_at; drop it after expires_at.
import { Kafka, logLevel } from "kafkajs";

const QUIET_MS = 10_000; // without a message this example ends; a service goes on for ever
const [broker, prefix = ""] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "example-node", brokers: [broker], logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: `${prefix}example-node` });
const pending = new Map();

await consumer.connect();
await consumer.subscribe({ topic: `${prefix}homeroom.nudges`, fromBeginning: true });

let quiet;
const done = new Promise((resolve) => {
  const wait = () => {
    clearTimeout(quiet);
    quiet = setTimeout(resolve, QUIET_MS);
  };
  consumer.on(consumer.events.GROUP_JOIN, wait);
  consumer.run({
    eachMessage: async ({ message }) => {
      const nudge = JSON.parse(message.value.toString());
      if (nudge.type === "nudge") pending.set(nudge.nudge_id, nudge);
      else pending.delete(nudge.nudge_id);
      wait();
    },
  });
});
await done;
await consumer.disconnect();
for (const nudge of pending.values()) {
  console.log(`to ${nudge.learner} by ${nudge.channel} at ${nudge.send_at.slice(0, 16)}Z: ${nudge.text}`);
}
