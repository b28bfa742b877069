// What a role may do, so that nobody is offered what the server refuses them; the server decides all the same.

/** The least one first; each may do whatever the one before it may. */
const ROLES = ["wall", "viewer", "duty", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Whether somebody of this role takes alarms on; a role that is not known yet is not refused anything. */
export function mayTakeOn(role: string | null): boolean {
  return isAtLeast(role, "duty");
}

/** Whether messages to people, with their names, are shown to them. */
export function maySeeMessages(role: string | null): boolean {
  return isAtLeast(role, "duty");
}

/** Whether they are told of alarms one by one, and not only how many there are. */
export function maySeeAlarms(role: string | null): boolean {
  return isAtLeast(role, "viewer");
}

function isAtLeast(role: string | null, least: Role): boolean {
  const place = ROLES.findIndex((known) => known === role);
  return role === null || place >= ROLES.indexOf(least);
}
